//! Settings of several words.

use serde::{Deserialize, Serialize};

/// Several words: a list in the file, separated by commas elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct List(pub Vec<String>);

impl List {
    /// A list of these words.
    pub fn of(words: &[&str]) -> Self {
        List(words.iter().map(|word| (*word).to_owned()).collect())
    }
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a list of words, or words separated by commas")]
        enum Form {
            Words(Vec<String>),
            Line(String),
        }
        let words = match Form::deserialize(deserializer)? {
            Form::Words(words) => words,
            Form::Line(line) => line.split(',').map(str::to_owned).collect(),
        };
        let trimmed = words.iter().map(|word| word.trim().to_owned());
        Ok(List(trimmed.filter(|word| !word.is_empty()).collect()))
    }
}
