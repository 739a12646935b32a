//! Imports run one way: no modules of a crate import each other in a circle, and the layers of `cli` import only what
//! is below them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs, iter,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, MetadataCommand, TargetKind};
use letterbox_tests::root;
use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Item, ItemUse, Macro, UseTree, visit::Visit};

/// The folders of `cli/src`, from the top. A module imports from its own folder and from lower rows. Every other module
/// of the crate is below all of them.
const LAYERS: [&[&str]; 4] = [&["commands"], &["local"], &["doctor", "sender"], &["formats"]];

/// The path of a module or an item from the crate's root; empty for the root.
type Name = Vec<String>;

/// The modules of one crate, one per file, and the imports of each from the others.
#[derive(Default)]
struct Crate {
    /// Every module, with the module whose file contains it: itself, except for a module in braces.
    files: BTreeMap<Name, Name>,
    /// The names that a module's `use` items bring into it, with their paths from the crate's root.
    aliases: BTreeMap<(Name, String), Name>,
    /// Every path in a module that may lead to another one.
    paths: Vec<(Name, Vec<String>)>,
}

impl Crate {
    /// Reads a crate from the file of its root module.
    fn read(root: &Path) -> Self {
        let mut this = Self::default();
        this.file(root, root.parent().unwrap(), &Vec::new());
        let uses = std::mem::take(&mut this.aliases);
        // Names are looked up only once all modules are known.
        for ((module, alias), path) in uses {
            if let Some(path) = this.absolute(&module, &path) {
                this.aliases.insert((module, alias), path);
            }
        }
        this
    }

    fn file(&mut self, path: &Path, folder: &Path, module: &Name) {
        let text = fs::read_to_string(path).unwrap();
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.module(&file.items, folder, module, module);
    }

    fn module(&mut self, items: &[Item], folder: &Path, module: &Name, file: &Name) {
        self.files.insert(module.clone(), file.clone());
        for item in items {
            let Item::Mod(child) = item else {
                Paths { found: self, module }.visit_item(item);
                continue;
            };
            if is_test(&child.attrs) {
                continue;
            }
            let name = child.ident.to_string();
            let folder_of_child = folder.join(&name);
            let path: Name = module.iter().chain([&name]).cloned().collect();
            match &child.content {
                Some((_, items)) => self.module(items, &folder_of_child, &path, file),
                None => self.file(&folder_of_child.with_extension("rs"), &folder_of_child, &path),
            }
        }
    }

    /// A path in a module, from the crate's root; `None` if it leads out of the crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Name> {
        let mut base = module;
        let mut rest = path;
        loop {
            match rest.split_first()? {
                (first, after) if first == "crate" => (base, rest) = (&[], after),
                (first, after) if first == "self" => rest = after,
                (first, after) if first == "super" => (base, rest) = (base.split_last()?.1, after),
                (first, _) => {
                    let whole: Name = base.iter().chain(rest).cloned().collect();
                    let is_explicit = rest.len() < path.len();
                    let child: Name = base.iter().chain([first]).cloned().collect();
                    let is_known = self.files.contains_key(&child)
                        || self.aliases.contains_key(&(base.to_vec(), first.clone()));
                    return (is_explicit || is_known).then_some(whole);
                }
            }
            if rest.is_empty() {
                return Some(base.to_vec());
            }
        }
    }

    /// The module that a path leads to, through re-exports; `None` if it is in another crate.
    fn target(&self, path: &[String]) -> Option<Name> {
        let mut path = path.to_vec();
        // Each step follows one alias; a chain that is longer does not end.
        'aliases: for _ in 0..16 {
            let mut module = Name::new();
            for (position, segment) in path.iter().enumerate() {
                let child: Name = module.iter().chain([segment]).cloned().collect();
                if self.files.contains_key(&child) {
                    module = child;
                } else if let Some(alias) = self.aliases.get(&(module.clone(), segment.clone())) {
                    path = alias.iter().chain(path.iter().skip(position + 1)).cloned().collect();
                    continue 'aliases;
                } else {
                    break;
                }
            }
            return self.files.get(&module).cloned();
        }
        None
    }

    /// Which files import from which others.
    fn imports(&self) -> BTreeMap<Name, BTreeSet<Name>> {
        let mut imports: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
        for (module, path) in &self.paths {
            let file = &self.files[module];
            let target = self.absolute(module, path).and_then(|path| self.target(&path));
            if let Some(target) = target.filter(|target| target != file) {
                imports.entry(file.clone()).or_default().insert(target);
            }
        }
        imports
    }
}

/// Collects the paths of an item.
struct Paths<'a> {
    found: &'a mut Crate,
    module: &'a Name,
}

impl Paths<'_> {
    /// A path outside of a `use`. One name alone is a variable, or was brought in by a `use`.
    fn mentioned(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.found(path);
        }
    }

    fn found(&mut self, path: Vec<String>) {
        self.found.paths.push((self.module.clone(), path));
    }

    fn tree(&mut self, tree: &UseTree, mut path: Vec<String>) {
        let named = |this: &mut Self, path: Vec<String>, name: String| {
            this.found.aliases.insert((this.module.clone(), name), path.clone());
            this.found(path);
        };
        match tree {
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.tree(&step.tree, path);
            }
            UseTree::Name(one) => {
                // `use a::{self}` names `a`.
                if one.ident != "self" {
                    path.push(one.ident.to_string());
                }
                let name = path.last().cloned().unwrap_or_default();
                named(self, path, name);
            }
            UseTree::Rename(one) => {
                if one.ident != "self" {
                    path.push(one.ident.to_string());
                }
                named(self, path, one.rename.to_string());
            }
            UseTree::Glob(_) => self.found(path),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, path.clone())),
        }
    }

    /// The paths in a macro's arguments, which are tokens, not yet syntax.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.mentioned(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                other => {
                    self.mentioned(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.mentioned(path);
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs[..],
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !is_test(attributes) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&item.tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.mentioned(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.tokens(call.tokens.clone());
        syn::visit::visit_macro(self, call);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

/// Shortest circles, enough that each module of a circle is in one of them.
fn circles(imports: &BTreeMap<Name, BTreeSet<Name>>) -> Vec<Vec<Name>> {
    let mut circles = Vec::new();
    let mut seen: BTreeSet<Name> = BTreeSet::new();
    for start in imports.keys() {
        let mut came_from: BTreeMap<&Name, &Name> = BTreeMap::new();
        let mut next = vec![start];
        while !next.is_empty() && !came_from.contains_key(start) {
            let mut after = Vec::new();
            for module in next {
                for target in imports.get(module).into_iter().flatten() {
                    if !came_from.contains_key(target) {
                        came_from.insert(target, module);
                        after.push(target);
                    }
                }
            }
            next = after;
        }
        if !came_from.contains_key(start) || seen.contains(start) {
            continue;
        }
        let mut circle = vec![start.clone()];
        let mut at = start;
        while let Some(before) = came_from.get(at) {
            circle.push((*before).clone());
            at = before;
            if at == start {
                break;
            }
        }
        circle.reverse();
        seen.extend(circle.iter().cloned());
        circles.push(circle);
    }
    circles
}

fn shown(name: &[String]) -> String {
    if name.is_empty() { "the crate's root".to_owned() } else { name.join("::") }
}

/// The crates that test and measure the others, and may use any of them.
const TESTS: [&str; 4] = ["floor", "letterbox-bench", "letterbox-fuzz-targets", "letterbox-tests"];

/// The names and root modules of all crates in this workspace, without those of the tests.
fn crates() -> Vec<(String, PathBuf)> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let packages = metadata.packages.into_iter().filter(|package| !TESTS.contains(&package.name.as_str()));
    let targets = packages.flat_map(|package| package.targets);
    let sources = targets
        .filter(|target| target.kind.iter().any(|kind| [TargetKind::Lib, TargetKind::Bin].contains(kind)));
    sources.map(|target| (target.name, target.src_path.into_std_path_buf())).collect()
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let crates = crates();
    assert!(crates.len() > 10, "{crates:?}");
    let mut found = String::new();
    for (name, root) in crates {
        for circle in circles(&Crate::read(&root).imports()) {
            let names: Vec<_> = circle.iter().map(|name| shown(name)).collect();
            writeln!(found, "{name}: {}", names.join(" imports ")).unwrap();
        }
    }
    assert!(found.is_empty(), "move what both sides need into a module below them:\n{found}");
}

/// Crates below the functions and above them, from the top. A crate depends only on lower rows. The workers are functions, too,
/// but not of a provider: none of them is in the registry, and none depends on one that is.
const ABOVE: [&[&str]; 3] = [&["letterbox"], &["contacts", "gaps"], &["letterbox-registry"]];
const BELOW: [&[&str]; 3] =
    [&["letterbox-outbound"], &["letterbox-signed", "letterbox-intake"], &["letterbox-codec"]];

/// An application beside them, which people copy: it depends on none.
const EXAMPLE: &[&str] = &["letterbox-consumer"];

#[test]
fn crates_depend_downwards_and_only_the_registry_names_every_provider() {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let packages: Vec<_> =
        metadata.packages.iter().filter(|package| !TESTS.contains(&package.name.as_str())).collect();
    let functions: BTreeSet<_> = packages
        .iter()
        .filter(|package| package.manifest_path.starts_with(root().join("functions")))
        .map(|package| package.name.as_str())
        .collect();
    let functions: Vec<_> = functions.into_iter().collect();
    let rows: Vec<_> =
        ABOVE.into_iter().chain([functions.as_slice()]).chain(BELOW).chain([EXAMPLE]).collect();
    let row = |name: &str| rows.iter().position(|row| row.contains(&name));
    let mut naming = BTreeSet::new();
    for package in packages {
        let own = row(&package.name).unwrap_or_else(|| panic!("{}: in no row", package.name));
        let normal = package.dependencies.iter().filter(|one| one.kind == DependencyKind::Normal);
        for (name, depended) in normal.filter_map(|one| Some((one.name.as_str(), row(&one.name)?))) {
            assert!(depended > own, "{} depends on {name}, which is not below it", package.name);
            if functions.contains(&name) {
                naming.insert((package.name.as_str(), name));
            }
        }
    }
    let expected = functions.iter().map(|name| ("letterbox-registry", *name)).collect();
    assert_eq!(naming, expected, "left: who depends on a function; right: the registry, on every one");
}

#[test]
fn the_layers_of_cli_import_downwards() {
    let layer =
        |folder: &str| LAYERS.iter().position(|layer| layer.contains(&folder)).unwrap_or(LAYERS.len());
    let mut against = BTreeSet::new();
    for (module, targets) in Crate::read(&root().join("cli/src/lib.rs")).imports() {
        for target in targets {
            let (Some(from), Some(to)) = (module.first(), target.first()) else { continue };
            let is_upwards = layer(to) < layer(from);
            let is_sideways = layer(to) == layer(from) && layer(to) < LAYERS.len() && to != from;
            if is_upwards || is_sideways {
                against.insert((from.clone(), to.clone()));
            }
        }
    }
    assert_eq!(against, BTreeSet::new(), "imports against the layers");
}

#[test]
fn every_way_to_import_is_seen() {
    /// Files by their paths without the ending.
    type Files<'a> = &'a [(&'a str, &'a str)];
    let rows: [(Files<'_>, Option<&str>); 12] = [
        (&[("a", "use crate::b::B; pub struct A;"), ("b", "use crate::a; pub struct B(a::A);")], Some("a b")),
        (
            &[("a", "pub struct A(super::b::B);"), ("b", "use super::{a::{self, A}}; pub struct B;")],
            Some("a b"),
        ),
        (&[("a", "use crate::b::B as X; pub struct A;"), ("b", "fn f() { vec![crate::a::A] }")], Some("a b")),
        (&[("a", "use crate::b::*;"), ("b", "fn f() { use crate::a::A; }")], Some("a b")),
        (&[("a", "mod c; pub struct A; fn f() { c::g() }"), ("a/c", "use super::A;")], Some("a a::c")),
        (&[("a", "use crate::c::C;"), ("b", "use crate::a::A;"), ("c", "use crate::b::B;")], Some("a c b")),
        (&[("a", "use crate::b::C;"), ("b", "pub use crate::c::C;"), ("c", "use crate::a::A;")], Some("a c")),
        // A re-exported item is imported from its own module, not from the one that re-exports it.
        (
            &[("a", "pub use self::c::C; mod c; mod d;"), ("a/c", "pub struct C;"), ("a/d", "use super::C;")],
            None,
        ),
        (&[("a", "mod c; pub struct A;"), ("a/c", "use super::A;")], None),
        (&[("a", "use crate::b::B;"), ("b", "#[cfg(test)] mod tests { use crate::a::A; }")], None),
        (
            &[
                ("a", "mod x { pub struct X; } use self::x::X; fn f() { x::g() }"),
                ("b", "use crate::a::x::X;"),
            ],
            None,
        ),
        (&[("a", "use b::B; fn f() { std::b::g() }"), ("b", "use crate::a::A;")], None),
    ];
    for (files, expected) in rows {
        let folder = tempfile::tempdir().unwrap();
        let top = files.iter().filter(|(name, _)| !name.contains('/'));
        let declared: Vec<_> = top.map(|(name, _)| format!("mod {name};")).collect();
        let declared = declared.concat();
        for (name, text) in files.iter().copied().chain(iter::once(("lib", declared.as_str()))) {
            let path = folder.path().join(name).with_extension("rs");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let circles = circles(&Crate::read(&folder.path().join("lib.rs")).imports());
        let found = circles.first().map(|circle| {
            let names: Vec<_> = circle.iter().skip(1).map(|name| shown(name)).collect();
            names.join(" ")
        });
        assert_eq!(found.as_deref().map(sorted), expected.map(sorted), "{files:?}");
    }
}

/// The words of a text in alphabetical order: a circle has no first module.
fn sorted(words: &str) -> Vec<&str> {
    let mut words: Vec<_> = words.split(' ').collect();
    words.sort_unstable();
    words
}
