//! The definition of a setting: its field, default, help and allowed range.

/// A setting as the command line and error messages know it.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The field's name: the key in the file.
    pub(crate) name: &'static str,
    /// The lines of its documentation.
    pub(crate) help: &'static [&'static str],
    /// The allowed range of a number.
    pub(crate) allowed: Option<(u64, u64)>,
}

impl Setting {
    /// The allowed range in words.
    pub(crate) fn allowed_text(&self) -> Option<String> {
        self.allowed.map(|(min, max)| format!("{min} to {max}"))
    }
}

/// A number out of its setting's range.
#[derive(Debug)]
pub(crate) struct OutOfRange {
    /// The setting's name.
    pub(crate) name: &'static str,
    /// The value given.
    pub(crate) value: u64,
}

/// Defines a struct of settings.
///
/// Each line is `name: Type = default, in min..=max;`, the range for numbers only. The struct gets
/// its `Default`, a table of [`Setting`] and a check of every range.
macro_rules! settings {
    (
        $(#[$attribute:meta])*
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $field:ident: $ty:ty = $default:expr $(, in $min:literal ..= $max:literal)?;
            )*
        }
    ) => {
        $(#[$attribute])*
        pub struct $name {
            $(
                $(#[doc = $doc])*
                pub $field: $ty,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* }
            }
        }

        impl $name {
            /// Every setting, in the order of the fields.
            pub(crate) const SETTINGS: &[$crate::config::settings::Setting] = &[
                $($crate::config::settings::Setting {
                    name: stringify!($field),
                    help: &[$($doc),*],
                    allowed: $crate::config::settings::settings!(@range $($min, $max)?),
                },)*
            ];

            /// Returns the first number out of its range.
            pub(crate) fn check(&self) -> Result<(), $crate::config::settings::OutOfRange> {
                $($(
                    let value = u64::try_from(self.$field).unwrap_or(u64::MAX);
                    if !($min..=$max).contains(&value) {
                        return Err($crate::config::settings::OutOfRange {
                            name: stringify!($field),
                            value,
                        });
                    }
                )?)*
                Ok(())
            }
        }
    };
    (@range) => { None };
    (@range $min:literal, $max:literal) => { Some(($min, $max)) };
}

pub(crate) use settings;
