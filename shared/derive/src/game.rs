//! `#[game]` and `#[state]`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;
use syn::{Error, Result};

use crate::paths;

/// Adds the associated types that a game does not name.
pub(crate) fn game(item: TokenStream) -> Result<TokenStream> {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let is_simulation = tokens.iter().any(|token| is_word(token, "Simulation"));
    let body = match tokens.pop() {
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace && is_simulation => {
            body
        }
        other => {
            return Err(Error::new_spanned(other, "`#[game]` goes on an `impl Simulation for ..`"));
        }
    };
    let defaults = [
        (
            "Event",
            quote!(
                type Event = ::tickwire_shared::NoEvent;
            ),
        ),
        (
            "Command",
            quote!(
                type Command = ::tickwire_shared::NoCommand;
            ),
        ),
        (
            "RoomOptions",
            quote!(
                type RoomOptions = ();
            ),
        ),
        (
            "JoinOptions",
            quote!(
                type JoinOptions = ();
            ),
        ),
    ];
    let named = types_of(&body);
    let missing = defaults.into_iter().filter(|(name, _)| !named.iter().any(|named| named == name));
    let body: TokenStream = missing.map(|(_, tokens)| tokens).chain([body.stream()]).collect();
    tokens.push(Group::new(Delimiter::Brace, body).into());
    Ok(tokens.into_iter().collect())
}

/// The associated types that an `impl` names: each word after a `type`.
fn types_of(body: &Group) -> Vec<String> {
    let tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    let pairs = tokens.windows(2).filter(|pair| is_word(&pair[0], "type"));
    pairs.map(|pair| pair[1].to_string()).collect()
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// Derives serde's traits by the serde that tickwire itself uses.
pub(crate) fn state(item: &TokenStream) -> TokenStream {
    let serde = format!("::{}::serde", paths::root());
    quote! {
        #[derive(::tickwire_shared::serde::Serialize, ::tickwire_shared::serde::Deserialize)]
        #[serde(crate = #serde)]
        #item
    }
}
