//! A radix tree of literals: in one walk along a text it finds every literal that the text begins with.
//!
//! Hosts (written backwards), paths, methods and field values are all looked up in one of these, so that the cost of a lookup is
//! the length of the text and not the number of routes. Every node knows the lowest route below it; a walk that is told the best
//! route so far never enters a branch that cannot beat it.

use std::collections::VecDeque;

use super::pattern::{Ending, Literal};

/// Searching this many bytes one by one is quicker than asking for a vector search.
const SHORT: usize = 8;

/// Something that stands for routes, the first of which has this place in the declared order.
pub(super) trait Ranked {
    fn first(&self) -> u32;
}

/// Frozen; nodes lie breadth first so that the children of a node are neighbours.
#[derive(Debug)]
pub(super) struct Tree<V> {
    nodes: Box<[Node]>,
    /// The byte by which each node is reached, apart so that the children of a node are found by one search over bytes.
    keys: Box<[u8]>,
    labels: Box<[u8]>,
    values: Box<[(Ending, V)]>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    first: u32,
    label: u32,
    label_len: u32,
    child: u32,
    value: u32,
    children: u16,
    values: u16,
}

impl<V: Ranked> Tree<V> {
    /// Builds from entries in ascending order of their literal, each literal and ending at most once.
    pub(super) fn build<'a>(entries: impl IntoIterator<Item = (Literal<'a>, V)>) -> Self {
        let (literals, values): (Vec<Literal<'a>>, Vec<V>) = entries.into_iter().unzip();
        let keyed: Vec<Key<'a>> = (0u32..)
            .zip(literals.iter().zip(&values))
            .map(|(at, (literal, value))| Key { text: literal.text, first: value.first(), at })
            .collect();
        let mut draft = Draft { nodes: vec![Node::over(&keyed)], keys: vec![0], labels: Vec::new() };
        let mut queue = VecDeque::from([(0, keyed.as_slice(), 0)]);
        while let Some((node, keys, depth)) = queue.pop_front() {
            draft.expand(node, keys, depth, &mut queue);
        }
        Self {
            nodes: draft.nodes.into(),
            keys: draft.keys.into(),
            labels: draft.labels.into(),
            values: literals.iter().map(|literal| literal.ending).zip(values).collect(),
        }
    }

    /// The place of the first route in the whole tree.
    pub(super) fn first(&self) -> u32 {
        self.nodes.first().map_or(u32::MAX, |root| root.first)
    }

    /// Whether any literal has a byte at all, that is, whether the text walked along makes a difference.
    pub(super) fn discriminates(&self) -> bool {
        self.nodes.len() > 1
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.values.iter().map(|(_, value)| value)
    }

    #[inline]
    pub(super) fn walk<'t, 's>(&'t self, text: &'s [u8]) -> Walk<'t, 's, V> {
        match self.nodes.first() {
            Some(root) => Walk { tree: self, node: *root, seen: 0, rest: text },
            None => Walk { tree: self, node: Node::over(&[]), seen: 0, rest: text },
        }
    }
}

struct Key<'a> {
    text: &'a [u8],
    first: u32,
    at: u32,
}

impl Node {
    fn over(keys: &[Key<'_>]) -> Self {
        let first = keys.iter().map(|key| key.first).min().unwrap_or(u32::MAX);
        Self { first, label: 0, label_len: 0, child: 0, value: 0, children: 0, values: 0 }
    }
}

struct Draft {
    nodes: Vec<Node>,
    keys: Vec<u8>,
    labels: Vec<u8>,
}

impl Draft {
    /// Fills in the node at which all of `keys` agree up to `depth`, and queues its children.
    fn expand<'k, 'a>(&mut self, node: usize, keys: &'k [Key<'a>], depth: usize, queue: &mut VecDeque<(usize, &'k [Key<'a>], usize)>) {
        let ends = keys.iter().take_while(|key| key.text.len() == depth).count();
        let (here, deeper) = keys.split_at(ends);
        let child = self.nodes.len() as u32;
        let mut children = 0;
        for branch in deeper.chunk_by(|a, b| a.text.get(depth) == b.text.get(depth)) {
            let (Some(low), Some(high)) = (branch.first(), branch.last()) else { continue };
            let label = common(low.text, high.text).get(depth..).unwrap_or_default();
            queue.push_back((self.nodes.len(), branch, depth + label.len()));
            self.nodes.push(Node { label: self.labels.len() as u32, label_len: label.len() as u32, ..Node::over(branch) });
            self.keys.push(label.first().copied().unwrap_or_default());
            self.labels.extend_from_slice(label);
            children += 1;
        }
        if let Some(node) = self.nodes.get_mut(node) {
            node.child = child;
            node.children = children;
            node.value = here.first().map_or(0, |key| key.at);
            node.values = here.len() as u16;
        }
    }
}

fn common<'a>(a: &'a [u8], b: &[u8]) -> &'a [u8] {
    let len = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    a.get(..len).unwrap_or(a)
}

/// A walk from the root along a text.
pub(super) struct Walk<'t, 's, V> {
    tree: &'t Tree<V>,
    node: Node,
    /// How many of the node's values were looked at.
    seen: u16,
    rest: &'s [u8],
}

impl<'t, V: Ranked> Walk<'t, '_, V> {
    /// The next value whose literal the text begins with, whose ending holds and which has a route before `bound`.
    #[inline]
    pub(super) fn next(&mut self, bound: u32) -> Option<&'t V> {
        loop {
            while self.seen < self.node.values {
                let (ending, value) = self.tree.values.get((self.node.value + u32::from(self.seen)) as usize)?;
                self.seen += 1;
                if ending.holds(self.rest) && value.first() < bound {
                    return Some(value);
                }
            }
            self.descend(bound)?;
        }
    }

    #[inline]
    fn descend(&mut self, bound: u32) -> Option<()> {
        let byte = *self.rest.first()?;
        let child = self.node.child as usize;
        let keys = self.tree.keys.get(child..child + usize::from(self.node.children))?;
        let at = if keys.len() <= SHORT { keys.iter().position(|key| *key == byte) } else { memchr::memchr(byte, keys) };
        let node = *self.tree.nodes.get(child + at?)?;
        if node.first >= bound {
            return None;
        }
        let label = node.label as usize;
        self.rest = self.rest.strip_prefix(self.tree.labels.get(label..label + node.label_len as usize)?)?;
        self.node = node;
        self.seen = 0;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Ranked for u32 {
        fn first(&self) -> u32 {
            *self
        }
    }

    fn tree(entries: &[(&'static str, Ending, u32)]) -> Tree<u32> {
        let mut entries: Vec<_> =
            entries.iter().map(|(text, ending, value)| (Literal { text: text.as_bytes(), ending: *ending }, *value)).collect();
        entries.sort();
        Tree::build(entries)
    }

    fn found(tree: &Tree<u32>, text: &str, bound: u32) -> Vec<u32> {
        let mut walk = tree.walk(text.as_bytes());
        std::iter::from_fn(|| walk.next(bound).copied()).collect()
    }

    #[test]
    fn a_walk_finds_every_literal_that_the_text_begins_with_shortest_first() {
        let tree = tree(&[
            ("", Ending::Any, 9),
            ("/a", Ending::Any, 8),
            ("/ab", Ending::Any, 7),
            ("/abc", Ending::Any, 6),
            ("/b", Ending::Any, 5),
        ]);
        assert_eq!(found(&tree, "/ab", u32::MAX), [9, 8, 7]);
        assert_eq!(found(&tree, "/b/x", u32::MAX), [9, 5]);
        assert_eq!(found(&tree, "x", u32::MAX), [9]);
    }

    #[test]
    fn an_ending_decides_what_may_follow_the_literal() {
        let tree = tree(&[("/a", Ending::End, 1), ("/a", Ending::Segment, 2), ("/a", Ending::More, 3), ("/a", Ending::Any, 4)]);
        assert_eq!(found(&tree, "/a", u32::MAX), [1, 2, 4]);
        assert_eq!(found(&tree, "/a/", u32::MAX), [2, 3, 4]);
        assert_eq!(found(&tree, "/ab", u32::MAX), [3, 4]);
    }

    #[test]
    fn a_branch_that_cannot_beat_the_bound_is_not_entered() {
        let tree = tree(&[("/a", Ending::Any, 5), ("/ab", Ending::Any, 3), ("/abc", Ending::Any, 4)]);
        assert_eq!(found(&tree, "/abcd", 5), [3, 4]);
        assert_eq!(found(&tree, "/abcd", 4), [3]);
        assert_eq!(found(&tree, "/abcd", 3), [0; 0]);
    }

    #[test]
    fn an_empty_tree_finds_nothing() {
        assert_eq!(found(&tree(&[]), "/", u32::MAX), [0; 0]);
        assert_eq!(tree(&[]).first(), u32::MAX);
    }

    #[test]
    fn a_node_may_have_a_child_for_every_byte() {
        let texts: Vec<[u8; 2]> = (0..=255).map(|byte| [byte, b'x']).collect();
        let tree = Tree::build(texts.iter().zip(0u32..).map(|(text, at)| (Literal { text, ending: Ending::End }, at)));
        for (text, at) in texts.iter().zip(0u32..) {
            assert_eq!(tree.walk(text).next(u32::MAX), Some(&at));
        }
    }
}
