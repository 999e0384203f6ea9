//! A module as its file has it: what it brings in, and what it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A module that is a file.
#[derive(Default)]
pub(super) struct Module {
    pub(super) file: String,
    pub(super) children: Vec<String>,
    /// What it brings in, by the name that it has here.
    pub(super) imports: BTreeMap<String, Import>,
    /// What it brings in as a whole.
    pub(super) globs: Vec<Vec<String>>,
    /// What it names by a path.
    pub(super) paths: BTreeSet<Vec<String>>,
    /// What its own code names, the first part of each path.
    pub(super) named: BTreeSet<String>,
    /// The methods that it calls without arguments.
    pub(super) called: BTreeSet<String>,
}

pub(super) struct Import {
    pub(super) path: Vec<String>,
    pub(super) is_reexport: bool,
}

impl Module {
    pub(super) fn read(file: &str) -> Self {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        Self::parse(file, &text)
    }

    pub(super) fn parse(file: &str, text: &str) -> Self {
        let mut module = Self { file: file.to_owned(), ..Self::default() };
        module.visit_file(&syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}")));
        module
    }

    fn bring_in(&mut self, tree: &syn::UseTree, path: &[String], is_reexport: bool) {
        let longer = |name: &syn::Ident| path.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        match tree {
            syn::UseTree::Path(step) => self.bring_in(&step.tree, &longer(&step.ident), is_reexport),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.bring_in(tree, path, is_reexport)),
            syn::UseTree::Glob(_) => self.globs.push(path.to_vec()),
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.imports.insert(path[path.len() - 1].clone(), Import { path: path.to_vec(), is_reexport });
            }
            syn::UseTree::Name(name) => {
                self.imports.insert(name.ident.to_string(), Import { path: longer(&name.ident), is_reexport });
            }
            syn::UseTree::Rename(renamed) => {
                // Several traits may be brought in as `_`.
                let here = if renamed.rename == "_" { format!("_{}", self.imports.len()) } else { renamed.rename.to_string() };
                self.imports.insert(here, Import { path: longer(&renamed.ident), is_reexport });
            }
        }
    }

    /// A path from the crate that it begins with.
    pub(super) fn spelled_out(&self, path: &[String]) -> Vec<String> {
        match self.imports.get(&path[0]).filter(|import| import.path[0] != path[0]) {
            Some(import) => self.spelled_out(&import.path).into_iter().chain(path[1..].iter().cloned()).collect(),
            None => path.to_vec(),
        }
    }

    fn name(&mut self, path: Vec<String>) {
        self.named.extend(path.first().cloned());
        if path.len() > 1 {
            self.paths.insert(path);
        }
    }

    /// Takes what a macro is given for paths, word by word.
    fn name_tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Vec::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.name(std::mem::take(&mut path));
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                other => {
                    self.name(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.name_tokens(group.stream());
                    }
                }
            }
        }
        self.name(path);
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if attributes(item).iter().any(is_test) {
            return;
        }
        match item {
            syn::Item::Mod(module) if module.content.is_none() => self.children.push(module.ident.to_string()),
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_reexport = !matches!(item.vis, syn::Visibility::Inherited);
        self.bring_in(&item.tree, &[], is_reexport);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.name(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.name_tokens(called.tokens.clone());
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.args.is_empty() {
            self.called.insert(call.method.to_string());
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !function.attrs.iter().any(is_test) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !field.attrs.iter().any(is_test) {
            visit::visit_field(self, field);
        }
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        if !field.attrs.iter().any(is_test) {
            visit::visit_field_value(self, field);
        }
    }

    // `#[serde(…)]` and `pub(in crate::…)` use nothing.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether it is `#[cfg(test)]`, or `#[cfg(any(test, fuzzing))]`, which is no part of the product either.
fn is_test(attribute: &syn::Attribute) -> bool {
    let condition = attribute.parse_args::<TokenStream>().map(|condition| condition.to_string().replace(' ', ""));
    let is_test = condition.is_ok_and(|condition| ["test", "any(test,fuzzing)"].contains(&&*condition));
    is_test && attribute.path().is_ident("cfg")
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
