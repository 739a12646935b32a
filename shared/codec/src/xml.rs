//! Bounded reading of XML that is one element with fields, such as WeCom's.
//!
//! A document type declaration is refused, so the only entities are the five that XML predefines: nothing external is
//! named, and nothing expands. Attributes, comments and processing instructions are not read.
//! The parser is a streaming one, whose time and memory grow no faster than the text.

use std::{collections::HashMap, fmt};

use quick_xml::{Reader, escape::resolve_xml_entity, events::Event};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::Reject;

/// The deepest nesting of elements. WeCom's messages have four levels.
const DEEPEST: usize = 32;

/// The largest number of elements in a document.
const MOST: usize = 10_000;

/// The longest start tag, in bytes. WeCom's have no attributes.
const LONGEST_TAG: usize = 1024;

/// An element: its children, or its text if it has none.
#[derive(Default)]
pub struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl fmt::Debug for Element {
    /// Prints only the size: the content may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element({} children)", self.children.len())
    }
}

impl Element {
    /// Parses a document, and returns its root. One byte order mark before it is skipped.
    ///
    /// [`Reject::InvalidXml`] if it is not well-formed, has a document type declaration, has more than 10,000 elements or a
    /// tag of more than 1024 bytes, or is nested more than 32 deep.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        let mut tree = Tree::default();
        loop {
            match reader.read_event().map_err(|_| Reject::InvalidXml)? {
                Event::Start(tag) | Event::Empty(tag) if tag.len() > LONGEST_TAG => {
                    return Err(Reject::InvalidXml);
                }
                Event::Start(start) => tree.open(start.name().0)?,
                Event::Empty(empty) => {
                    tree.open(empty.name().0)?;
                    tree.close()?;
                }
                Event::End(_) => tree.close()?,
                Event::Text(text) => tree.run.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    match reference.resolve_char_ref().map_err(|_| Reject::InvalidXml)? {
                        Some(character) => tree.run.push(character),
                        None => tree.run.push_str(
                            resolve_xml_entity(&reference.xml10_content()).ok_or(Reject::InvalidXml)?,
                        ),
                    }
                }
                Event::CData(text) => tree.verbatim(&text.xml10_content())?,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::DocType(_) => return Err(Reject::InvalidXml),
                Event::Eof => return tree.root(),
            }
        }
    }

    /// The text of a child without whitespace around it, or `None` if there is no such child. A child that appears twice
    /// is ambiguous and gives [`Reject::Malformed`].
    pub fn field(&self, name: &'static str) -> Result<Option<&str>, Reject> {
        let mut found = self.children.iter().filter(|child| child.name == name);
        let first = found.next();
        match found.next() {
            Some(_) => Err(Reject::malformed(name, "to appear only once")),
            None => Ok(first.map(|child| child.text.trim())),
        }
    }

    /// The JSON object of the children, in their order: a string for a child without children of its own, an object for
    /// one with, and a list where a name is repeated. Text between child elements is left out.
    pub fn to_json(&self) -> Result<String, Reject> {
        serde_json::to_string(&Children(&self.children)).map_err(|_| Reject::InvalidXml)
    }
}

/// A document while it is read.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    /// Text since the last markup, references included.
    run: String,
    elements: usize,
}

impl Tree {
    fn open(&mut self, name: &str) -> Result<(), Reject> {
        self.end_run()?;
        self.elements = self.elements.saturating_add(1);
        let is_second_root = self.open.is_empty() && self.root.is_some();
        if is_second_root || self.open.len() >= DEEPEST || self.elements > MOST {
            return Err(Reject::InvalidXml);
        }
        self.open.push(Element { name: name.to_owned(), ..Element::default() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Reject> {
        self.end_run()?;
        let closed = self.open.pop().ok_or(Reject::InvalidXml)?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(closed),
            None => self.root = Some(closed),
        }
        Ok(())
    }

    /// Ends a run of text. A blank one only formats the document: WeCom's own samples have one before a CDATA section.
    fn end_run(&mut self) -> Result<(), Reject> {
        let run = std::mem::take(&mut self.run);
        let is_blank = run.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        if is_blank { Ok(()) } else { self.append(&run) }
    }

    fn verbatim(&mut self, text: &str) -> Result<(), Reject> {
        self.end_run()?;
        self.append(text)
    }

    fn append(&mut self, text: &str) -> Result<(), Reject> {
        self.open.last_mut().ok_or(Reject::InvalidXml)?.text.push_str(text);
        Ok(())
    }

    fn root(mut self) -> Result<Element, Reject> {
        self.end_run()?;
        self.root.filter(|_| self.open.is_empty()).ok_or(Reject::InvalidXml)
    }
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.children.as_slice() {
            [] => serializer.serialize_str(&self.text),
            children => Children(children).serialize(serializer),
        }
    }
}

/// Serialises as one object.
struct Children<'a>(&'a [Element]);

impl Serialize for Children<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields: Vec<(&str, Vec<&Element>)> = Vec::new();
        let mut places = HashMap::new();
        for child in self.0 {
            let place = *places.entry(&*child.name).or_insert(fields.len());
            match fields.get_mut(place) {
                Some((_, values)) => values.push(child),
                None => fields.push((&child.name, vec![child])),
            }
        }
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (name, values) in &fields {
            match values.as_slice() {
                [value] => map.serialize_entry(name, value)?,
                values => map.serialize_entry(name, values)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<String, Reject> {
        Element::parse(text)?.to_json()
    }

    #[test]
    fn fields_become_an_object() {
        for (text, expected) in [
            ("<xml/>", "{}"),
            ("<xml><A>1</A><B></B><C/></xml>", r#"{"A":"1","B":"","C":""}"#),
            ("<xml><A>1</A><B>2</B><A>3</A></xml>", r#"{"A":["1","3"],"B":"2"}"#),
            ("<x><L><I><N>1</N></I><I>2</I></L></x>", r#"{"L":{"I":[{"N":"1"},"2"]}}"#),
            // As WeCom's documents have it: a blank before the CDATA section.
            ("<xml><T> <![CDATA[suite_ticket]]></T></xml>", r#"{"T":"suite_ticket"}"#),
            ("<xml><T><![CDATA[ a ]]>\n</T></xml>", r#"{"T":" a "}"#),
            ("<xml><T> a &amp; &lt; b&#x4e2d;&#33; </T></xml>", r#"{"T":" a & < b中! "}"#),
            ("<xml><T><![CDATA[<b>&amp;</b> \" \\]]></T></xml>", r#"{"T":"<b>&amp;</b> \" \\"}"#),
            ("<xml><T><![CDATA[a]]]]><![CDATA[>b]]></T></xml>", r#"{"T":"a]]>b"}"#),
            (
                "<?xml version=\"1.0\"?>\n<!-- c --><xml a=\"1\">\n <T>a<!-- c -->b</T>\n</xml>\n",
                r#"{"T":"ab"}"#,
            ),
            ("\u{feff}<xml><T>1</T></xml>", r#"{"T":"1"}"#),
            ("<xml><x:T xmlns:x=\"u\">中🎋</x:T></xml>", r#"{"x:T":"中🎋"}"#),
        ] {
            assert_eq!(json(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_one_whole_element_is_refused() {
        for text in [
            "",
            " ",
            "text",
            "<xml>",
            "<xml><A></xml>",
            "<xml></A></xml>",
            "<xml/><xml/>",
            "<xml/>text",
            "text<xml/>",
            "<xml/>&amp;",
            "<![CDATA[a]]>",
            "<xml>&</xml>",
            "<xml><A",
            "<xml><![CDATA[a</xml>",
            "{}",
        ] {
            assert_eq!(json(text), Err(Reject::InvalidXml), "{text}");
        }
    }

    #[test]
    fn no_entity_is_declared_or_expanded() {
        let laughs =
            (1..10).map(|n| format!("<!ENTITY l{n} \"&l{0};&l{0};\">", n - 1)).collect::<Vec<_>>().concat();
        for text in [
            "<!DOCTYPE xml><xml/>".to_owned(),
            "<!DOCTYPE xml SYSTEM \"http://127.0.0.1/x.dtd\"><xml/>".to_owned(),
            "<!DOCTYPE xml [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><A>&e;</A></xml>".to_owned(),
            "<!DOCTYPE xml [<!ENTITY % p SYSTEM \"http://127.0.0.1/\"> %p;]><xml/>".to_owned(),
            format!("<!DOCTYPE xml [<!ENTITY l0 \"lol\">{laughs}]><xml><A>&l9;</A></xml>"),
            "<xml><!DOCTYPE xml><A>1</A></xml>".to_owned(),
            "<xml><A>&e;</A></xml>".to_owned(),
            "<xml><A>&#0;</A></xml>".to_owned(),
            "<xml><A>&#x110000;</A></xml>".to_owned(),
        ] {
            assert_eq!(json(&text), Err(Reject::InvalidXml), "{text}");
        }
    }

    #[test]
    fn depth_and_number_of_elements_are_bounded() {
        let deep = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
        let many = |elements: usize| format!("<xml>{}</xml>", "<a/>".repeat(elements - 1));
        for (text, is_read) in [
            (deep(DEEPEST), true),
            (deep(DEEPEST + 1), false),
            (deep(100_000), false),
            ("<a>".repeat(300_000), false),
            (many(MOST), true),
            (many(MOST + 1), false),
            (many(250_000), false),
        ] {
            assert_eq!(json(&text).is_ok(), is_read, "{} bytes", text.len());
        }
        for (bytes, is_read) in [(LONGEST_TAG, true), (LONGEST_TAG + 1, false)] {
            let name = "a".repeat(bytes);
            assert_eq!(json(&format!("<{name}></{name}>")).is_ok(), is_read, "{bytes} bytes");
        }
        // Attributes are not read.
        for (attributes, is_read) in [(10, true), (100, false), (50_000, false)] {
            let attributes =
                (0..attributes).map(|n| format!(" xmlns:a{n}=\"u\"")).collect::<Vec<_>>().concat();
            for text in [format!("<xml{attributes}><A>1</A></xml>"), format!("<xml><A{attributes}/></xml>")] {
                assert_eq!(json(&text).is_ok(), is_read, "{} bytes", text.len());
            }
        }
    }

    #[test]
    fn one_field_is_found_and_two_are_ambiguous() {
        let root = Element::parse("<xml><A>\n x </A><B>1</B><B>2</B><C><A>y</A></C></xml>").unwrap();
        assert_eq!(root.field("A"), Ok(Some("x")));
        assert_eq!(root.field("C"), Ok(Some("")));
        assert_eq!(root.field("D"), Ok(None));
        assert_eq!(root.field("B"), Err(Reject::malformed("B", "to appear only once")));
        assert_eq!(format!("{root:?}"), "Element(4 children)");
    }
}
