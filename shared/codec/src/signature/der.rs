//! As much of DER (ITU-T X.690) as a public key needs.

/// A tag of one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u8);

impl Tag {
    pub(super) const INTEGER: Self = Self(0x02);
    pub(super) const BIT_STRING: Self = Self(0x03);
    pub(super) const OBJECT_IDENTIFIER: Self = Self(0x06);
    pub(super) const SEQUENCE: Self = Self(0x30);
    /// `[0]`, the version of a certificate.
    pub(super) const VERSION: Self = Self(0xa0);
}

/// Reads elements one after another. `None` is anything that is not the expected one.
#[derive(Clone, Copy)]
pub(super) struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    pub(super) const fn new(der: &'d [u8]) -> Self {
        Self(der)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub(super) fn peek(&self) -> Option<Tag> {
        self.0.first().copied().map(Tag)
    }

    /// The content of the next element.
    pub(super) fn take(&mut self, tag: Tag) -> Option<&'d [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first()?;
        let (length, rest) = match *length {
            length @ ..=0x7f => (usize::from(length), rest),
            0x81 => {
                let (length, rest) = rest.split_first()?;
                (usize::from(*length), rest)
            }
            0x82 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            // No key has 64 KiB.
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        if Tag(*found) != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }

    /// The next element, if it has this tag.
    pub(super) fn optional(&mut self, tag: Tag) -> Option<&'d [u8]> {
        if self.peek() == Some(tag) { self.take(tag) } else { None }
    }

    /// A reader of the sequence that comes next.
    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.take(Tag::SEQUENCE).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_in_their_order() {
        let long = [&[0x02, 0x81, 0x80][..], &[7; 128]].concat();
        let longer = [&[0x02, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        for (der, expected) in [
            (&[0x02, 0x01, 0x05][..], Some(1)),
            (&[0x02, 0x00], Some(0)),
            (&long, Some(128)),
            (&longer, Some(256)),
            (&[], None),
            (&[0x02], None),
            // Longer than there is, of another tag, and without or with more than two bytes of length.
            (&[0x02, 0x02, 0x05], None),
            (&[0x03, 0x01, 0x05], None),
            (&[0x02, 0x80, 0x05, 0x00, 0x00], None),
            (&[0x02, 0x83, 0x00, 0x00, 0x01, 0x05], None),
        ] {
            let mut reader = Reader::new(der);
            assert_eq!(reader.take(Tag::INTEGER).map(<[u8]>::len), expected, "{der:?}");
            assert_eq!(reader.is_empty(), expected.is_some() || der.is_empty());
        }
    }
}
