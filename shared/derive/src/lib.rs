//! Derives.
use proc_macro::TokenStream;
/// x
#[proc_macro_derive(Replicate, attributes(replicate))]
pub fn replicate(_item: TokenStream) -> TokenStream {
    TokenStream::new()
}
/// x
#[proc_macro_derive(Input, attributes(replicate))]
pub fn input(_item: TokenStream) -> TokenStream {
    TokenStream::new()
}
