//! `#[replicate(..)]` on a field, as written.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Attribute, Error, Ident, Result, Token};

/// All there are, for errors.
const ATTRIBUTES: &str =
    "`range`, `step`, `angle`, `bits`, `quat`, `rare`, `initial`, `owner` and `velocity`";

/// Everything a field's attributes say. `None` is what they do not mention.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) range: Option<Range>,
    pub(crate) step: Option<Value>,
    pub(crate) bits: Option<Value>,
    pub(crate) angle: Option<Span>,
    pub(crate) quat: Option<Span>,
    pub(crate) rare: Option<Span>,
    pub(crate) initial: Option<Span>,
    pub(crate) owner: Option<Span>,
    pub(crate) velocity: Option<Ident>,
}

/// `key = expression`.
pub(crate) struct Value {
    /// The key's.
    pub(crate) span: Span,
    pub(crate) tokens: TokenStream,
}

/// `range = min..=max`.
pub(crate) struct Range {
    /// The key's.
    pub(crate) span: Span,
    pub(crate) min: TokenStream,
    pub(crate) max: TokenStream,
}

impl Attributes {
    /// Reads all `#[replicate(..)]` among `attributes`.
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut found = Attributes::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("replicate")) {
            attribute.parse_nested_meta(|meta| found.read(&meta))?;
        }
        Ok(found)
    }

    /// Complains of the first attribute about numbers that is not in `allowed`.
    pub(crate) fn only(&self, allowed: &[&str], why: &str) -> Result<()> {
        let numbers = [
            ("range", self.range.as_ref().map(|range| range.span)),
            ("step", self.step.as_ref().map(|step| step.span)),
            ("bits", self.bits.as_ref().map(|bits| bits.span)),
            ("angle", self.angle),
            ("quat", self.quat),
        ];
        match numbers.into_iter().find_map(|(key, span)| span.filter(|_| !allowed.contains(&key))) {
            Some(span) => Err(Error::new(span, why)),
            None => Ok(()),
        }
    }

    fn read(&mut self, meta: &ParseNestedMeta) -> Result<()> {
        let Some(key) = meta.path.get_ident() else { return Err(unknown(meta)) };
        let span = key.span();
        match key.to_string().as_str() {
            "range" => set(&mut self.range, key, range(span, meta.value()?)?),
            "step" => set(&mut self.step, key, value(span, meta.value()?)?),
            "bits" => set(&mut self.bits, key, value(span, meta.value()?)?),
            "angle" => set(&mut self.angle, key, span),
            "quat" => set(&mut self.quat, key, span),
            "rare" => set(&mut self.rare, key, span),
            "initial" => set(&mut self.initial, key, span),
            "owner" => set(&mut self.owner, key, span),
            "velocity" => set(&mut self.velocity, key, meta.value()?.parse()?),
            _ => Err(unknown(meta)),
        }
    }
}

/// Fails at the first `#[replicate(..)]` among `attributes`, where none belongs.
pub(crate) fn refuse<'a>(
    attributes: impl IntoIterator<Item = &'a Attribute>,
    why: &str,
) -> Result<()> {
    match attributes.into_iter().find(|a| a.path().is_ident("replicate")) {
        Some(attribute) => Err(Error::new_spanned(attribute, why)),
        None => Ok(()),
    }
}

fn set<T>(place: &mut Option<T>, key: &Ident, value: T) -> Result<()> {
    match place.replace(value) {
        Some(_) => Err(Error::new_spanned(key, format!("`{key}` is given twice"))),
        None => Ok(()),
    }
}

fn unknown(meta: &ParseNestedMeta) -> Error {
    meta.error(format!("not an attribute of a field; there are {ATTRIBUTES}"))
}

fn value(span: Span, input: ParseStream) -> Result<Value> {
    let tokens = expression(input)?;
    Ok(Value { span, tokens })
}

fn range(span: Span, input: ParseStream) -> Result<Range> {
    let min = expression(input)?;
    if !input.peek(Token![..=]) {
        let at =
            if input.is_empty() { min.to_token_stream() } else { input.cursor().token_stream() };
        return Err(Error::new_spanned(at, "a range is written `min..=max`, both ends included"));
    }
    input.parse::<Token![..=]>()?;
    Ok(Range { span, min, max: expression(input)? })
}

/// The tokens up to a comma or a range operator. The compiler checks them where they are pasted, so
/// a wrong one is reported where it is written.
fn expression(input: ParseStream) -> Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !(input.is_empty() || input.peek(Token![,]) || input.peek(Token![..])) {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    if tokens.is_empty() {
        return Err(input.error("a constant expression is missing here"));
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::ATTRIBUTES;

    /// The words of a text that stand in its code.
    fn code_words(text: &str) -> Vec<&str> {
        let lines = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        lines.flat_map(|code| code.split(|letter: char| !letter.is_alphanumeric())).collect()
    }

    #[test]
    fn each_attribute_is_in_the_reference_and_in_the_book() {
        for text in [include_str!("lib.rs"), include_str!("../../../docs/src/fields.md")] {
            let words = code_words(text);
            for name in code_words(ATTRIBUTES) {
                assert!(words.contains(&name), "`{name}` is not explained");
            }
        }
    }
}
