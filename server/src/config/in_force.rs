//! The settings as they are in force.

use figment::Figment;
use figment::providers::Serialized;

use super::ServerConfig;
use super::load::{NOTHING, every_setting, shown};

/// Every setting's key, its value and its default, as they would be given.
pub(crate) fn settings_in_force(config: &ServerConfig) -> Vec<(String, String, String)> {
    let [config, defaults] = [config, &ServerConfig::default()]
        .map(|settings| Figment::from(Serialized::defaults(settings)));
    let text = |of: &Figment, key: &str| {
        of.find_value(key).map_or_else(|_| NOTHING.to_owned(), |value| shown(&value))
    };
    let line = |(key, _): (String, _)| {
        let (value, default) = (text(&config, &key), text(&defaults, &key));
        (key, value, default)
    };
    every_setting().map(line).collect()
}
