//! Consistent hashing: requests of one key go to one endpoint, and few keys move when endpoints come or go.
//!
//! Each table equals, pick for pick, `forebay.balance.reference.tables`. A key and an endpoint enter by the same hash with the pool's seed, so
//! that a table depends on the endpoints' ids and weights alone, not on their order. Where the home of a key may not be picked the key goes
//! on to another endpoint that depends on the key again: what one endpoint leaves is shared by all.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh64::xxh64;

use super::draw::Occasion;

mod maglev;
mod rendezvous;
mod ring;

pub use maglev::Maglev;
pub use rendezvous::Rendezvous;
pub use ring::Ring;

/// The version of what decides where a key goes: this hash, and the tables made of it. Gateways that agree on it, on a pool's seed, ids and
/// weights agree on every key; it grows when any of the formulas changes.
pub const KEY_HASH: &str = "xxh64-1";

/// The hash of a request's key or of an endpoint's id: XXH64 (Collet), with the pool's seed.
#[must_use]
pub fn hash(bytes: &[u8], seed: u64) -> u64 {
    xxh64(bytes, seed)
}

/// An endpoint that has a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its place in the declared order.
    pub index: u32,
    /// Its weight in thousandths.
    pub units: u32,
    /// The hash of its id.
    pub hash: u64,
}

/// How a key finds its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A table of slots: one look-up, and the most even shares.
    Maglev,
    /// Points on a circle: one look-up, and few keys move.
    Ring,
    /// Every endpoint bids for every key: as few keys move as can, and each pick looks at all endpoints.
    Rendezvous,
}

#[derive(Debug)]
enum Table {
    Maglev(Maglev),
    Ring(Ring),
    Rendezvous,
}

/// A consistent hash, prepared for one list of endpoints.
#[derive(Debug)]
pub struct ConsistentHash {
    table: Table,
    /// Who takes a key whose way through the table came to an end.
    rendezvous: Rendezvous,
    members: Box<[Member]>,
    /// Units by index.
    units: Box<[u32]>,
    bounded_load: Option<f64>,
}

impl ConsistentHash {
    /// For endpoints of these ids and units. `bounded_load`, at least 1, is how many times its fair share of the load an endpoint may have.
    #[must_use]
    pub fn new(kind: Kind, bounded_load: Option<f64>, endpoints: &[(&str, u32)], seed: u64) -> Self {
        let members: Box<[Member]> = (0..)
            .zip(endpoints)
            .filter(|(_, (_, units))| *units > 0)
            .map(|(index, (id, units))| Member { index, units: *units, hash: hash(id.as_bytes(), seed) })
            .collect();
        let table = match kind {
            Kind::Maglev => Table::Maglev(Maglev::new(&members)),
            Kind::Ring => Table::Ring(Ring::new(&members)),
            Kind::Rendezvous => Table::Rendezvous,
        };
        let units = endpoints.iter().map(|(_, units)| *units).collect();
        Self { table, rendezvous: Rendezvous::new(&members), members, units, bounded_load }
    }

    /// Where the occasion's key goes among the eligible that are within their bound; where none is, among the eligible. `None` without a key
    /// and where nobody is eligible.
    ///
    /// With a bound a pick looks at the load of every endpoint.
    pub fn pick(&self, occasion: Occasion, eligible: impl Fn(usize) -> bool, load: impl Fn(usize) -> u32) -> Option<usize> {
        let key = occasion.key?;
        if let Some(factor) = self.bounded_load {
            let bound = self.bound(factor, &eligible, &load);
            let within = |index: usize| {
                let units = self.units.get(index).copied().unwrap_or(0);
                eligible(index) && bound.allows(load(index), units)
            };
            if let Some(index) = self.find(key, within) {
                return Some(index);
            }
        }
        self.find(key, eligible)
    }

    fn find(&self, key: u64, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        let found = match &self.table {
            Table::Maglev(table) => table.find(key, &accepts),
            Table::Ring(table) => table.find(key, &accepts),
            Table::Rendezvous => None,
        };
        found.or_else(|| self.rendezvous.find(key, accepts))
    }

    fn bound(&self, factor: f64, eligible: impl Fn(usize) -> bool, load: impl Fn(usize) -> u32) -> Bound {
        let (mut load_of_all, mut units_of_all) = (0_u64, 0_u64);
        for member in self.members.iter().filter(|member| eligible(member.index as usize)) {
            load_of_all += u64::from(load(member.index as usize));
            units_of_all += u64::from(member.units);
        }
        Bound { scale: factor * (load_of_all + 1) as f64, units: units_of_all as f64 }
    }
}

/// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2018), for weights: an endpoint takes a key while its load with it
/// is at most the factor times its share of the load of all, this key included, rounded up. All are those eligible, so that a factor of at
/// least 1 leaves room somewhere.
struct Bound {
    scale: f64,
    units: f64,
}

impl Bound {
    fn allows(&self, load: u32, units: u32) -> bool {
        f64::from(load) + 1.0 <= (self.scale * f64::from(units) / self.units).ceil()
    }
}

#[cfg(test)]
#[path = "hash/tests.rs"]
mod tests;
