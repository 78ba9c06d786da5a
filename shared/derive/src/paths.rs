//! Where the generated code finds tickwire.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::quote;

/// The path of the crate that has all of tickwire's shared types, as the caller's crate knows it: a game names either
/// `tickwire` or, as the workspace itself does, `tickwire-shared`.
pub(crate) fn root() -> String {
    match crate_name("tickwire") {
        Ok(FoundCrate::Name(name)) => format!("{name}::shared"),
        // Its documentation's own examples.
        Ok(FoundCrate::Itself) => "tickwire::shared".to_owned(),
        Err(_) => "tickwire_shared".to_owned(),
    }
}

/// Leads paths that begin with `tickwire_shared` there.
pub(crate) fn resolve(tokens: TokenStream) -> TokenStream {
    let root = root();
    let Some((name, module)) = root.split_once("::") else { return tokens };
    let [name, module] = [name, module].map(|part| Ident::new(part, Span::call_site()));
    replace(tokens, &quote!(#name::#module))
}

fn replace(tokens: TokenStream, with: &TokenStream) -> TokenStream {
    let each = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(ident) if ident == "tickwire_shared" => with.clone(),
        TokenTree::Group(group) => {
            let mut replaced = Group::new(group.delimiter(), replace(group.stream(), with));
            replaced.set_span(group.span());
            TokenTree::Group(replaced).into()
        }
        other => other.into(),
    });
    each.collect()
}
