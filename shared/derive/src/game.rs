//! `#[game]` and `#[state]`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Result, Type};

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
        (
            "Profile",
            quote!(
                type Profile = ();
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
    // First, as the compiler tells of mistakes in this order.
    let parts = parts(item);
    quote! {
        #parts
        #[derive(::tickwire_shared::serde::Serialize, ::tickwire_shared::serde::Deserialize)]
        #[serde(crate = #serde)]
        #item
    }
}

/// Asks `StatePart` of the type of each field that serde's derives will ask something of.
fn parts(item: &TokenStream) -> TokenStream {
    let Ok(DeriveInput { attrs, generics, data, .. }) = syn::parse2(item.clone()) else {
        return TokenStream::new();
    };
    if !generics.params.is_empty() || attrs.iter().any(is_of_its_own) {
        return TokenStream::new();
    }
    let fields: Vec<Fields> = match data {
        Data::Struct(data) => vec![data.fields],
        Data::Enum(data) => data
            .variants
            .into_iter()
            .filter(|variant| !variant.attrs.iter().any(is_of_its_own))
            .map(|variant| variant.fields)
            .collect(),
        Data::Union(_) => Vec::new(),
    };
    let types = fields.into_iter().flatten().filter(|field| !field.attrs.iter().any(is_of_its_own));
    let types: Vec<Type> =
        types.map(|field| field.ty).filter(|ty| !names_self(quote!(#ty))).collect();
    if types.is_empty() {
        return TokenStream::new();
    }
    quote! {
        const _: fn() = || {
            fn part<T: ::tickwire_shared::StatePart>() {}
            #(part::<#types>();)*
        };
    }
}

/// True for an attribute by which a field, a variant or a type may go without serde's traits, or be absent.
fn is_of_its_own(attribute: &Attribute) -> bool {
    let words = ["skip", "with", "from", "into", "remote", "bound", "borrow"];
    let text = quote!(#attribute).to_string();
    attribute.path().is_ident("cfg")
        || ["serde", "cfg_attr"].iter().any(|name| attribute.path().is_ident(name))
            && words.iter().any(|word| text.contains(word))
}

/// True if a type names `Self`, which means nothing outside of its item.
fn names_self(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Group(group) => names_self(group.stream()),
        token => is_word(&token, "Self"),
    })
}
