//! Trained models: for each kind of entity, the codes of its parts, chosen by what both sides know.
//!
//! A delta is coded at **sites**: one for each chunk of up to four fields, for the pattern of those
//! that changed, and one for each lane. A site has a decision tree over integer **features** of the
//! entity's baselines and of its already decoded lanes; each leaf has a static canonical prefix
//! code. So the bits of (entity, baselines) are the same for every client and can be shared.

use serde::{Deserialize, Serialize};

use crate::schema::{FieldSchema, FieldType, FieldValues, KindSchema, LANES_MAX, Schema, SendRule};

pub mod chance;
pub mod code;
pub(crate) mod coder;
pub(crate) mod coding;
mod features;
mod place;
pub(crate) mod plan;
pub mod token;
pub mod told;

use code::PrefixCode;
use features::FeatureStore;
use token::TOKENS;

pub use coding::{SiteStream, SymbolHead};
pub use features::Features;
pub use place::LanePlace;

/// Version of the model format.
pub const MODEL_VERSION: u8 = 1;
/// Most leaves of a site's tree.
pub const LEAVES_MAX: usize = 128;
/// Most fields in a chunk.
pub const CHUNK_FIELDS_MAX: usize = 4;
/// A leaf's weight that adds the whole predicted motion.
pub const WEIGHT_ONE: i64 = 16;

const LEAF: u8 = 0x80;

/// The trained codes of a game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// [`MODEL_VERSION`].
    pub version: u8,
    /// Indexed by kind number. A kind that is missing or has no sites uses the default codes.
    pub kinds: Vec<KindModel>,
}

/// The codes of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KindModel {
    /// For each chunk, the fields that usually change together: bit n for the nth.
    pub common: Vec<u8>,
    /// One for each chunk, then one for each lane.
    pub sites: Vec<Site>,
    /// The chances that an entity is coded.
    pub chances: ChanceTree,
}

/// A decision tree over features of the baselines, with chances as leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChanceTree {
    /// As in a [`Site`].
    pub splits: Vec<Split>,
    /// The leaves; none in a model without chances.
    pub leaves: Vec<Chances>,
}

/// Chances in [`chance::CHANCE_ONE`] that a slot is coded: if none, one, or both of the two slots
/// before it are.
pub type Chances = [u16; 3];

/// A decision tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// The first is the root; empty with a single leaf. Children come after their parents.
    pub splits: Vec<Split>,
    /// The leaves.
    pub leaves: Vec<Leaf>,
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Number of the feature.
    pub feature: u16,
    /// A feature up to this value leads to the first child, above it to the second.
    pub threshold: i32,
    /// The two children.
    pub children: [Child; 2],
}

/// The target of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Child {
    /// The split of this number.
    Split(u8),
    /// The leaf of this number.
    Leaf(u8),
}

/// The coding of a symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    /// The part of the predicted motion to add, in sixteenths.
    pub weight: i8,
    /// Added to the prediction, in lane steps.
    pub bias: i16,
    /// Length of each symbol's code, two to a byte, the first in the low half; 0 for none.
    pub lengths: Vec<u8>,
}

/// The reason why a model is unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Another version of the format.
    #[error("the model has version {0}, this build reads version {MODEL_VERSION}; train it again")]
    Version(u8),
    /// Not a model.
    #[error("the model's bytes cannot be read; train it again")]
    Malformed,
    /// A table that no codec can use, or of another schema.
    #[error(
        "the model does not fit the kind {kind}: {reason}; train it again from a trace of this game"
    )]
    Unfit {
        /// The kind's name, or its number if the schema has none.
        kind: String,
        /// The mistake.
        reason: &'static str,
    },
}

impl Model {
    /// Reads a model file.
    ///
    /// # Errors
    /// [`ModelError::Version`] or [`ModelError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        match bytes.first() {
            Some(&MODEL_VERSION) => {}
            Some(&other) => return Err(ModelError::Version(other)),
            None => return Err(ModelError::Malformed),
        }
        match postcard::take_from_bytes(bytes) {
            Ok((model, [])) => Ok(model),
            _ => Err(ModelError::Malformed),
        }
    }

    /// The bytes of a model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("a model has nothing that cannot be written")
    }

    /// Checks the model against its game.
    ///
    /// # Errors
    /// [`ModelError::Unfit`], naming the kind.
    pub fn validate(&self, schema: &Schema) -> Result<(), ModelError> {
        for (number, model) in self.kinds.iter().enumerate() {
            let unfit = |kind: &str, reason| ModelError::Unfit { kind: kind.to_owned(), reason };
            let Some(kind) = schema.entities.get(number) else {
                return Err(unfit(&number.to_string(), "the game has no such kind"));
            };
            model.compile(kind).map_err(|reason| unfit(&kind.name, reason))?;
        }
        Ok(())
    }
}

/// The fields that a delta may contain, in coding order, in chunks.
pub(crate) fn chunks(kind: &KindSchema) -> Vec<Vec<usize>> {
    let told = |predicted: bool| {
        let fields = kind.fields.iter().enumerate();
        fields
            .filter(move |(_, field)| {
                field.rule != SendRule::Initial && field.velocity.is_some() == predicted
            })
            .map(|(at, _)| at)
    };
    let order: Vec<usize> = told(false).chain(told(true)).collect();
    order.chunks(CHUNK_FIELDS_MAX).map(<[usize]>::to_vec).collect()
}

/// True if a change of this field leaves only one value: then no lane is coded.
pub(crate) fn flips(field: &FieldSchema) -> bool {
    let (min, max) = field.lane_range(0);
    field.lanes() == 1 && max - min == 1
}

/// The bits of a field that is one rotation. Of an optional one, and of an array, each lane is a number.
pub(crate) fn rotation_bits(field: &FieldSchema) -> Option<u32> {
    match field.ty {
        FieldType::Quat { bits } if field.values == FieldValues::One => Some(u32::from(bits)),
        _ => None,
    }
}

/// A kind's tables, ready for coding.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub common: Vec<u8>,
    pub sites: Vec<CompiledSite>,
    pub chances: (CompiledTree, Vec<Chances>),
}

impl Compiled {
    /// Renumbers the trees' features so that only those that a split uses are kept. Returns their
    /// places.
    pub(crate) fn keep_asked(&mut self, kind: &KindSchema) -> FeatureStore {
        let trees = self.sites.iter().map(|site| &site.tree).chain([&self.chances.0]);
        let asked = trees.flat_map(|tree| tree.nodes.iter().map(|node| node.feature));
        let kept = FeatureStore::only(Features::count(kind), asked);
        let trees = self.sites.iter_mut().map(|site| &mut site.tree).chain([&mut self.chances.0]);
        for node in trees.flat_map(|tree| &mut tree.nodes) {
            node.feature = kept.place(usize::from(node.feature));
        }
        kept
    }
}

#[derive(Clone, Debug)]
pub(crate) struct CompiledSite {
    tree: CompiledTree,
    leaves: Vec<CompiledLeaf>,
}

#[derive(Clone, Debug)]
pub(crate) struct CompiledLeaf {
    pub weight: i64,
    pub bias: i64,
    pub code: PrefixCode,
}

impl CompiledSite {
    #[inline]
    pub(crate) fn leaf(&self, features: &[i32]) -> &CompiledLeaf {
        &self.leaves[self.tree.descend(features)]
    }
}

/// A tree laid out for fast descent.
#[derive(Clone, Debug)]
pub(crate) struct CompiledTree {
    root: u8,
    nodes: Vec<Node>,
}

/// A split in eight bytes. A child with [`LEAF`] set is a leaf.
#[derive(Clone, Copy, Debug)]
struct Node {
    threshold: i32,
    feature: u16,
    children: [u8; 2],
}

const _: () = assert!(LEAVES_MAX <= LEAF as usize);

impl CompiledTree {
    /// From checked splits.
    fn new(splits: &[Split]) -> Self {
        let nodes = splits.iter().map(|split| Node {
            threshold: split.threshold,
            feature: split.feature,
            children: split.children.map(|child| match child {
                Child::Split(at) => at,
                Child::Leaf(at) => LEAF | at,
            }),
        });
        CompiledTree { root: if splits.is_empty() { LEAF } else { 0 }, nodes: nodes.collect() }
    }

    /// The index of the leaf that the features lead to.
    #[inline]
    pub(crate) fn descend(&self, features: &[i32]) -> usize {
        let mut at = self.root;
        while at & LEAF == 0 {
            let node = &self.nodes[usize::from(at)];
            at = node.children[usize::from(features[usize::from(node.feature)] > node.threshold)];
        }
        usize::from(at ^ LEAF)
    }

    /// True if there is only one leaf.
    pub(crate) fn is_leaf(&self) -> bool {
        self.nodes.is_empty()
    }
}

fn check_splits(splits: &[Split], leaves: usize, features: usize) -> Result<(), &'static str> {
    if leaves == 0 || leaves > LEAVES_MAX || splits.len() >= LEAVES_MAX {
        return Err("a tree has no leaves, or too many");
    }
    for (at, split) in splits.iter().enumerate() {
        let leads = |child: &Child| match *child {
            Child::Leaf(leaf) => usize::from(leaf) < leaves,
            Child::Split(next) => usize::from(next) > at && usize::from(next) < splits.len(),
        };
        if usize::from(split.feature) >= features || !split.children.iter().all(leads) {
            return Err("a split leads nowhere");
        }
    }
    Ok(())
}

impl KindModel {
    /// The number of chunks of a kind's fields.
    pub fn chunks(kind: &KindSchema) -> usize {
        chunks(kind).len()
    }

    /// The symbols that a site may have to code: the [tokens](token) of its lane, then its heads.
    /// Empty for a site that is never coded.
    pub fn symbols(kind: &KindSchema, common: &[u8], site: usize) -> Vec<bool> {
        needed_symbols(kind, &chunks(kind), common, site)
    }

    pub(crate) fn compile(&self, kind: &KindSchema) -> Result<Option<Compiled>, &'static str> {
        if self.sites.is_empty() {
            return Ok(None);
        }
        let chunks = chunks(kind);
        if self.common.len() != chunks.len() || self.sites.len() != chunks.len() + kind.lanes() {
            return Err("it was trained for other fields");
        }
        let is_within =
            |(chunk, &common): (&Vec<usize>, &u8)| usize::from(common) >> chunk.len() == 0;
        if !chunks.iter().zip(&self.common).all(is_within) {
            return Err("a usual pattern has fields that its chunk has not");
        }
        let features = Features::count(kind);
        if !self.chances.leaves.is_empty() {
            check_splits(&self.chances.splits, self.chances.leaves.len(), features)?;
        }
        let mut sites = Vec::new();
        for (at, site) in self.sites.iter().enumerate() {
            let needs = needed_symbols(kind, &chunks, &self.common, at);
            sites.push(site.compile(features, &needs)?);
        }
        let chances = (CompiledTree::new(&self.chances.splits), self.chances.leaves.clone());
        Ok(Some(Compiled { common: self.common.clone(), sites, chances }))
    }
}

/// The symbols that a site may have to code: [`TOKENS`] of a lane, then its heads.
pub(crate) fn needed_symbols(
    kind: &KindSchema,
    chunks: &[Vec<usize>],
    common: &[u8],
    site: usize,
) -> Vec<bool> {
    if let Some(chunk) = chunks.get(site) {
        let merged = merged_field(kind, chunk, common[site]).is_some();
        let mut needs = vec![merged; TOKENS];
        needs.extend((0..1usize << chunk.len()).map(|pattern| {
            // Keeps the empty pattern: a chunk of all fields always has a change, but chunks are
            // coded independently.
            !merged || pattern != usize::from(common[site])
        }));
        return needs;
    }
    let mut lane = site - chunks.len();
    for field in &kind.fields {
        if lane < field.lanes() {
            let is_told = field.rule != SendRule::Initial;
            let mut needs = vec![is_told && !flips(field); TOKENS];
            if rotation_bits(field).is_some() && lane == 0 {
                needs.extend([false, is_told, is_told, is_told]);
            }
            return needs;
        }
        lane -= field.lanes();
    }
    Vec::new()
}

/// The field whose first lane shares the chunk's symbol: the first of those that usually change, if
/// its prediction needs nothing of the chunk.
pub(crate) fn merged_field(kind: &KindSchema, chunk: &[usize], common: u8) -> Option<usize> {
    let number = *chunk.get(common.trailing_zeros() as usize)?;
    let field = &kind.fields[number];
    let is_alone = field.velocity.is_none() && !flips(field) && rotation_bits(field).is_none();
    is_alone.then_some(number)
}

impl Site {
    fn compile(&self, features: usize, needs: &[bool]) -> Result<CompiledSite, &'static str> {
        if !needs.contains(&true) && self.leaves.is_empty() && self.splits.is_empty() {
            return Ok(CompiledSite { tree: CompiledTree::new(&[]), leaves: Vec::new() });
        }
        check_splits(&self.splits, self.leaves.len(), features)?;
        let leaves: Result<Vec<CompiledLeaf>, &str> =
            self.leaves.iter().map(|leaf| leaf.compile(needs)).collect();
        Ok(CompiledSite { tree: CompiledTree::new(&self.splits), leaves: leaves? })
    }
}

impl Leaf {
    fn compile(&self, needs: &[bool]) -> Result<CompiledLeaf, &'static str> {
        let lengths: Vec<u8> = self
            .lengths
            .iter()
            .flat_map(|&both| [both & 15, both >> 4])
            .take(needs.len())
            .collect();
        if self.lengths.len() != needs.len().div_ceil(2) {
            return Err("a leaf has other symbols");
        }
        if needs.iter().zip(&lengths).any(|(&needed, &length)| needed != (length > 0)) {
            return Err("a symbol has no code, or one that is never sent has");
        }
        let code = PrefixCode::new(&lengths).ok_or("a leaf's lengths are of no prefix code")?;
        Ok(CompiledLeaf { weight: i64::from(self.weight), bias: i64::from(self.bias), code })
    }
}

// Feature numbers take 16 bits.
const _: () = assert!(16 * LANES_MAX < 1 << 16);
