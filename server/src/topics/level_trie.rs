//! Names by their levels, so that neither a name nor a pattern is compared with all the others.

use std::collections::BTreeMap;

use super::pattern::{ANY_LEVEL, ANY_REST, levels};

/// Values by names of topics, or by patterns of them.
#[derive(Debug)]
pub(super) struct LevelTrie<V> {
    root: LevelNode<V>,
}

#[derive(Debug)]
struct LevelNode<V> {
    children: BTreeMap<Box<str>, LevelNode<V>>,
    value: Option<V>,
}

impl<V> Default for LevelTrie<V> {
    fn default() -> Self {
        LevelTrie { root: LevelNode::default() }
    }
}

impl<V> Default for LevelNode<V> {
    fn default() -> Self {
        LevelNode { children: BTreeMap::new(), value: None }
    }
}

impl<V> LevelTrie<V> {
    /// The value under exactly this name or pattern.
    pub(super) fn get(&self, path: &str) -> Option<&V> {
        let mut node = &self.root;
        for level in levels(path) {
            node = node.children.get(level)?;
        }
        node.value.as_ref()
    }

    /// The same to change, made by its default where there is none.
    pub(super) fn get_or_default(&mut self, path: &str) -> &mut V
    where
        V: Default,
    {
        let mut node = &mut self.root;
        for level in levels(path) {
            node = node.children.entry(level.into()).or_default();
        }
        node.value.get_or_insert_with(V::default)
    }

    /// Sets the value under a name or a pattern.
    pub(super) fn insert(&mut self, path: &str, value: V) {
        let mut node = &mut self.root;
        for level in levels(path) {
            node = node.children.entry(level.into()).or_default();
        }
        node.value = Some(value);
    }

    /// Removes the value under exactly this name or pattern.
    pub(super) fn remove(&mut self, path: &str) {
        let levels: Vec<&str> = levels(path).collect();
        self.root.remove(&levels);
    }

    /// Calls `visit` with the value of each pattern here that `name` matches.
    pub(super) fn for_each_pattern_of(&self, name: &str, visit: &mut impl FnMut(&V)) {
        let levels: Vec<&str> = levels(name).collect();
        self.root.visit_patterns(&levels, visit);
    }

    /// Calls `visit` with the value of each name here that matches `pattern`.
    pub(super) fn for_each_name_of(&self, pattern: &str, visit: &mut impl FnMut(&V)) {
        let levels: Vec<&str> = levels(pattern).collect();
        self.root.visit_names(&levels, visit);
    }
}

impl<V> LevelNode<V> {
    fn remove(&mut self, levels: &[&str]) {
        let [level, rest @ ..] = levels else {
            self.value = None;
            return;
        };
        let Some(child) = self.children.get_mut(*level) else { return };
        child.remove(rest);
        if child.value.is_none() && child.children.is_empty() {
            self.children.remove(*level);
        }
    }

    fn visit_patterns(&self, levels: &[&str], visit: &mut impl FnMut(&V)) {
        let [level, rest @ ..] = levels else {
            return self.value.iter().for_each(visit);
        };
        for next in [*level, ANY_LEVEL] {
            if let Some(child) = self.children.get(next) {
                child.visit_patterns(rest, visit);
            }
        }
        if let Some(child) = self.children.get(ANY_REST) {
            child.value.iter().for_each(visit);
        }
    }

    fn visit_names(&self, levels: &[&str], visit: &mut impl FnMut(&V)) {
        match levels {
            [] => self.value.iter().for_each(visit),
            [ANY_REST, ..] => self.children.values().for_each(|child| child.visit_all(visit)),
            [ANY_LEVEL, rest @ ..] => {
                self.children.values().for_each(|child| child.visit_names(rest, visit));
            }
            [level, rest @ ..] => {
                if let Some(child) = self.children.get(*level) {
                    child.visit_names(rest, visit);
                }
            }
        }
    }

    fn visit_all(&self, visit: &mut impl FnMut(&V)) {
        self.value.iter().for_each(&mut *visit);
        self.children.values().for_each(|child| child.visit_all(visit));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::pattern::covers;
    use super::*;

    const PATHS: [&str; 14] = [
        "a", "b", "a/a", "a/b", "b/a", "a/b/a", "a/b/b", "*", "**", "a/*", "*/b", "a/**", "*/*/a",
        "*/**",
    ];

    proptest! {
        #[test]
        fn a_trie_finds_what_a_list_does(steps in proptest::collection::vec((0..14usize, any::<bool>()), 0..40)) {
            let is_name = |path: &&str| !path.contains('*');
            let (mut names, mut patterns) = (LevelTrie::default(), LevelTrie::default());
            let mut list: Vec<&str> = Vec::new();
            for (at, comes) in steps {
                let path = PATHS[at];
                list.retain(|it| *it != path);
                if comes {
                    list.push(path);
                    patterns.insert(path, path);
                    if is_name(&path) {
                        names.insert(path, path);
                    }
                } else {
                    patterns.remove(path);
                    names.remove(path);
                }
            }
            for path in PATHS {
                prop_assert_eq!(patterns.get(path).is_some(), list.contains(&path));
                let mut found = Vec::new();
                names.for_each_name_of(path, &mut |name| found.push(*name));
                let mut expected: Vec<&str> =
                    list.iter().copied().filter(is_name).filter(|name| covers(path, name)).collect();
                found.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(found, expected, "{}", path);
                if is_name(&path) {
                    let mut found = Vec::new();
                    patterns.for_each_pattern_of(path, &mut |pattern| found.push(*pattern));
                    let mut expected: Vec<&str> =
                        list.iter().copied().filter(|pattern| covers(pattern, path)).collect();
                    found.sort_unstable();
                    expected.sort_unstable();
                    prop_assert_eq!(found, expected, "{}", path);
                }
            }
            list.iter().for_each(|path| {
                patterns.remove(path);
                names.remove(path);
            });
            prop_assert!(patterns.root.children.is_empty() && names.root.children.is_empty());
        }
    }
}
