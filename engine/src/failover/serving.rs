//! Who of a pool may serve: one pure rule, of what is known of its endpoints and of what the pool remembers. `forebay.failover.serving` is
//! its twin in Python; both are tested equal through `forebay._engine.serving`.
//!
//! All times are milliseconds of one clock; `null` is *never* or *nothing*. The rule, in its order:
//!
//! **Each endpoint** has a class. A status whose `until` is reached (`until <= now`) has lapsed: `draining` and `disabled` then count as
//! `healthy`; `down`, `ejected` and `suspect` become *half-open*. The first line that fits:
//!
//! 1. `unresolved`: *out*. `disabled`, `draining`, `down`: *out*. `ejected`: *judged*, until its `until`.
//! 2. `passed_until > now`: *out* where it is a `fact`, else *judged* until then.
//! 3. half-open as above, or `passed_until` is set: *half-open*.
//! 4. `unknown`: *new*. `suspect`: *suspect*. `healthy`: *able*.
//!
//! A *new* endpoint of a pool that is not probed is half-open too, once somebody else is able (see below). A half-open endpoint with `trial`
//! set has its one exchange already and takes no pick. Weight 0 takes no picks and counts nowhere, but keeps its class for those pinned.
//!
//! **Judgements are bound.** In each tier, of its `n` endpoints with a weight at most `max(1, floor(max_ejected * n + 1e-9))` judged ones
//! stay out (0 where `max_ejected` is 0). Where there are more, the others count as *able*, and that many of them, those judged longest from
//! now, then the first declared, are *half-open*: one that has recovered is found before one that fails now has cost much. If then
//! nobody in the pool is able or suspect but some are judged, those of their lowest tier are able: an older judgement may no longer hold.
//!
//! **Tiers.** A tier's strength is how many are able or suspect; it is *enough* at `count` (at most `n`), or `ceil(share * n - 1e-9)`, but
//! at least 1. Wanted is the first tier that is enough, or else the strongest (where several are: the present one, or else the lowest).
//! The wanted tier serves at once where there is none yet, where the present one has strength 0, where wanted is a later tier, or where
//! only wanted is enough. Where wanted is an earlier tier and the present one still serves, it takes back after the hold-down
//! (`automatic`), counted anew whenever it is not wanted in between, or at once with `failback`. The hold-down is `hold_down`, doubled for
//! each promotion in a row (five at most) that came within `max(60 s, 6 * hold_down)` of the last time that an earlier tier took back: a
//! primary that flaps ends up waiting longer than it stays up. `failback` is used up by the rule.
//!
//! **Picks** (`mask`) go to the serving tier's able endpoints, or to its suspects where none is able, and to half-open endpoints of it
//! and of earlier tiers that have no trial yet (`trials`): one exchange each. `beyond` are who a repeated request may also be sent
//! to once all of `mask` were tried: the serving tier's suspects, and the able of the next later tier that has any. Those pinned (`pinned`)
//! may go to the serving tier's able, suspect, new and free half-open endpoints, whatever their weight, and to draining ones.
//!
//! **Nothing has served yet** and an earlier tier than any that is able or suspect has new endpoints: no tier is chosen yet, and these serve,
//! as below; `beyond` are all who are able. A backup that is probed first is not promoted over primaries that nobody has asked yet.
//!
//! **Nobody is able or suspect.** Where some are new, all new ones of the first tier that has any serve, for nothing better exists, with
//! the free half-open ones of every tier as trials. Otherwise all are down, and `when_all_down` decides: `try_all` has everybody serve who
//! has a weight and is neither `disabled` nor `unresolved`, without trials; `last_healthy` those of them with `last` (all, where none has
//! it) and the free half-open as trials; the others only the free half-open ones, as trials. `pinned` is then `mask`.
//!
//! **Due** is the first moment after `now` at which anything of this may change by itself: an `until` or a `passed_until`, or the end of the
//! hold-down.

use serde::{Deserialize, Serialize};

use super::rules::MinHealthySpec;
use super::tiers::{Strength, step};

/// What may be known of an endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It serves.
    Healthy,
    /// It may not answer.
    Suspect,
    /// A fact: it cannot be reached.
    Down,
    /// A judgement by its answers.
    Ejected,
    /// It takes no new clients.
    Draining,
    /// Nothing is sent to it.
    Disabled,
    /// Its name has no address.
    Unresolved,
}

impl Status {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Suspect => "suspect",
            Self::Down => "down",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
            Self::Unresolved => "unresolved",
        }
    }
}

/// One endpoint, as the rule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointView {
    /// 0 serves first.
    pub tier: u8,
    /// 0 takes no picks.
    pub weight: u32,
    /// As control and the engine have it.
    pub status: Status,
    /// When that lapses.
    pub until: Option<u64>,
    /// Passed over by the reflex until then; stays set after it until an exchange succeeds.
    pub passed_until: Option<u64>,
    /// Whether it is passed over by a fact.
    pub fact: bool,
    /// Whether an exchange runs that is its trial.
    pub trial: bool,
    /// Whether it could serve when the pool last had somebody who could.
    pub last: bool,
}

/// What a pool does while all are down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllDown {
    /// See `WhenAllDownSpec`, as for the others.
    TryAll,
    /// Answers 503.
    FailFast,
    /// Sends to those who served last.
    LastHealthy,
    /// Another pool.
    Pool,
    /// A fixed answer.
    Respond,
}

/// What a pool's snapshot says.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolRules {
    /// When a tier is enough.
    pub min_healthy: MinHealthySpec,
    /// Whether an earlier tier takes back by itself.
    pub automatic: bool,
    /// Milliseconds before it does.
    pub hold_down: u64,
    /// Part of a tier that judgements may take out.
    pub max_ejected: f64,
    /// Whether control probes its endpoints.
    pub probed: bool,
    /// What happens when nobody is left.
    pub when_all_down: AllDown,
}

/// What a pool remembers from one moment to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// The tier that serves.
    pub tier: Option<u8>,
    /// Since when an earlier tier is wanted.
    pub wanted_since: Option<u64>,
    /// Promotions in a row that came soon after an earlier tier had taken back.
    pub flaps: u32,
    /// When an earlier tier last took back.
    pub back_at: Option<u64>,
    /// Whether it was ordered to.
    pub failback: bool,
}

/// Whether somebody serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Somebody does, or may.
    Serving,
    /// Nobody is known to be able to.
    AllDown,
}

/// What comes of it, for each endpoint by its index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Serving {
    /// Who may be picked.
    pub mask: Vec<bool>,
    /// Who of them only for one exchange.
    pub trials: Vec<bool>,
    /// Who may be sent what all of these were tried for.
    pub beyond: Vec<bool>,
    /// Where pinned clients may go.
    pub pinned: Vec<bool>,
    /// The tier that serves.
    pub tier: Option<u8>,
    /// Whether anybody does.
    pub mode: Mode,
    /// When to look again.
    pub due: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Out,
    Judged(u64),
    HalfOpen,
    New,
    Suspect,
    Able,
}

impl Class {
    fn of(view: &EndpointView, now: u64) -> Self {
        let lapsed = view.until.is_some_and(|until| until <= now);
        let half_open = match (view.status, lapsed) {
            (Status::Unresolved, _) | (Status::Disabled | Status::Draining | Status::Down, false) => return Self::Out,
            (Status::Ejected, false) => return Self::Judged(view.until.unwrap_or(u64::MAX)),
            (Status::Down | Status::Ejected | Status::Suspect, true) => true,
            _ => false,
        };
        match view.passed_until {
            Some(until) if until > now && view.fact => Self::Out,
            Some(until) if until > now => Self::Judged(until),
            Some(_) => Self::HalfOpen,
            None if half_open => Self::HalfOpen,
            None if view.status == Status::Unknown => Self::New,
            None if view.status == Status::Suspect => Self::Suspect,
            None => Self::Able,
        }
    }

    fn is_strong(self) -> bool {
        matches!(self, Self::Able | Self::Suspect)
    }
}

/// See the module.
#[must_use]
pub fn serving(endpoints: &[EndpointView], rules: &PoolRules, memory: Memory, now: u64) -> (Serving, Memory) {
    let mut classes: Vec<Class> = endpoints.iter().map(|view| Class::of(view, now)).collect();
    bind(endpoints, &mut classes, rules.max_ejected);
    let members = || endpoints.iter().zip(classes.iter().copied()).filter(|(view, _)| view.weight > 0);
    let somebody = members().any(|(_, class)| class.is_strong());
    let first = |test: &dyn Fn(Class) -> bool| members().filter(|(_, class)| test(*class)).map(|(view, _)| view.tier).min();
    let (new, strong) = (first(&|class| class == Class::New), first(&|class| class.is_strong()));
    let undecided = memory.tier.is_none() && new.zip(strong).is_some_and(|(new, strong)| new < strong);
    let mut next = Memory { failback: false, ..memory };
    if somebody && !undecided {
        next = step(&strengths(endpoints, &classes), rules, memory, now);
    }
    let picked = Picked { endpoints, classes: &classes, rules };
    let mut result = match next.tier.filter(|_| somebody) {
        Some(tier) => picked.by_tier(tier),
        None => match new {
            Some(tier) => picked.by_novelty(tier),
            None => picked.by_need(memory.tier),
        },
    };
    let expiries = endpoints.iter().flat_map(|view| [view.until, view.passed_until]);
    let hold = next.wanted_since.filter(|_| rules.automatic).map(|since| since + next.hold(rules));
    result.due = expiries.chain([hold]).flatten().filter(|at| *at > now).min();
    (result, next)
}

/// Has judged endpoints serve beyond what judgements may take out.
fn bind(endpoints: &[EndpointView], classes: &mut [Class], max_ejected: f64) {
    let judged = |index: usize, class: &Class| match class {
        Class::Judged(until) if endpoints.get(index).is_some_and(|view| view.weight > 0) => Some((*until, index)),
        _ => None,
    };
    let mut all: Vec<(u8, u64, usize)> = classes
        .iter()
        .enumerate()
        .filter_map(|(index, class)| judged(index, class))
        .map(|(until, index)| (endpoints.get(index).map_or(0, |view| view.tier), until, index))
        .collect();
    all.sort_by_key(|(tier, until, index)| (*tier, std::cmp::Reverse(*until), *index));
    for judged in all.chunk_by(|one, next| one.0 == next.0) {
        let members = endpoints.iter().filter(|view| judged.first().is_some_and(|(tier, _, _)| view.tier == *tier) && view.weight > 0);
        let bound = bound(members.count(), max_ejected);
        if judged.len() <= bound {
            continue;
        }
        for (place, (_, _, index)) in judged.iter().enumerate() {
            if let Some(class) = classes.get_mut(*index) {
                *class = if place < bound { Class::HalfOpen } else { Class::Able };
            }
        }
    }
    if endpoints.iter().zip(&*classes).any(|(view, class)| view.weight > 0 && class.is_strong()) {
        return;
    }
    let lowest = all.first().map(|(tier, _, _)| *tier);
    for (_, _, index) in all.iter().take_while(|(tier, _, _)| Some(*tier) == lowest) {
        if let Some(class) = classes.get_mut(*index) {
            *class = Class::Able;
        }
    }
}

/// How many of so many judgements may take out.
#[expect(clippy::cast_sign_loss, reason = "a part that is below 0 has been told apart")]
fn bound(members: usize, max_ejected: f64) -> usize {
    if max_ejected <= 0.0 { 0 } else { ((max_ejected * members as f64 + 1e-9).floor() as usize).max(1) }
}

/// The tiers in their order, with how many of theirs could serve.
fn strengths(endpoints: &[EndpointView], classes: &[Class]) -> Vec<Strength> {
    let mut tiers: Vec<Strength> = Vec::new();
    for (view, class) in endpoints.iter().zip(classes).filter(|(view, _)| view.weight > 0) {
        let place = tiers.binary_search_by_key(&view.tier, |strength| strength.tier).unwrap_or_else(|place| {
            tiers.insert(place, Strength { tier: view.tier, members: 0, able: 0 });
            place
        });
        if let Some(strength) = tiers.get_mut(place) {
            strength.members += 1;
            strength.able += usize::from(class.is_strong());
        }
    }
    tiers
}

struct Picked<'a> {
    endpoints: &'a [EndpointView],
    classes: &'a [Class],
    rules: &'a PoolRules,
}

impl Picked<'_> {
    fn each(&self, test: impl Fn(&EndpointView, Class) -> bool) -> Vec<bool> {
        self.endpoints.iter().zip(self.classes).map(|(view, class)| test(view, *class)).collect()
    }

    /// Those with a weight for which it holds.
    fn weighted(&self, test: impl Fn(&EndpointView, Class) -> bool) -> Vec<bool> {
        self.each(|view, class| view.weight > 0 && test(view, class))
    }

    /// Whether it may have an exchange as its trial.
    fn is_free(&self, view: &EndpointView, class: Class) -> bool {
        !view.trial && (class == Class::HalfOpen || (class == Class::New && !self.rules.probed))
    }

    fn by_tier(&self, tier: u8) -> Serving {
        let able = |of: u8| move |view: &EndpointView, class: Class| view.tier == of && class == Class::Able;
        let any = |test: &dyn Fn(&EndpointView, Class) -> bool| self.weighted(test).contains(&true);
        let wanted = if any(&able(tier)) { Class::Able } else { Class::Suspect };
        let trials = self.weighted(|view, class| view.tier <= tier && self.is_free(view, class));
        let chosen = self.weighted(|view, class| view.tier == tier && class == wanted);
        let mask: Vec<bool> = chosen.iter().zip(&trials).map(|(chosen, trial)| *chosen || *trial).collect();
        let later = self.endpoints.iter().map(|view| view.tier).filter(|of| *of > tier && any(&able(*of))).min();
        let further = |view: &EndpointView, class: Class| match class {
            Class::Suspect => view.tier == tier,
            Class::Able => later == Some(view.tier),
            _ => false,
        };
        let beyond = self.weighted(further).iter().zip(&mask).map(|(further, here)| *further && !here).collect();
        let pinned = self.each(|view, class| {
            let draining = view.status == Status::Draining && class == Class::Out && view.passed_until.is_none();
            view.tier == tier && (class.is_strong() || class == Class::New || self.is_free(view, class) || draining)
        });
        Serving { mask, trials, beyond, pinned, tier: Some(tier), mode: Mode::Serving, due: None }
    }

    fn by_novelty(&self, tier: u8) -> Serving {
        let trials = self.weighted(|view, class| class == Class::HalfOpen && self.is_free(view, class));
        let mask = self
            .weighted(|view, class| (view.tier == tier && class == Class::New) || (class == Class::HalfOpen && self.is_free(view, class)));
        let beyond = self.weighted(|_, class| class == Class::Able);
        Serving { pinned: mask.clone(), mask, trials, beyond, tier: Some(tier), mode: Mode::Serving, due: None }
    }

    fn by_need(&self, tier: Option<u8>) -> Serving {
        let all = self.weighted(|view, class| {
            let disabled = view.status == Status::Disabled && class == Class::Out && view.passed_until.is_none();
            !disabled && view.status != Status::Unresolved
        });
        let nobody = vec![false; all.len()];
        let free = self.weighted(|view, class| self.is_free(view, class));
        let (chosen, trials) = match self.rules.when_all_down {
            AllDown::TryAll => (all, nobody.clone()),
            AllDown::LastHealthy => {
                let last: Vec<bool> = all.iter().zip(self.endpoints).map(|(here, view)| *here && view.last).collect();
                let chosen = if last.contains(&true) { last } else { all };
                let trials = free.iter().zip(&chosen).map(|(free, chosen)| *free && !chosen).collect();
                (chosen, trials)
            }
            AllDown::FailFast | AllDown::Pool | AllDown::Respond => (nobody.clone(), free),
        };
        let mask: Vec<bool> = chosen.iter().zip(&trials).map(|(chosen, trial)| *chosen || *trial).collect();
        Serving { pinned: mask.clone(), mask, trials, beyond: nobody, tier, mode: Mode::AllDown, due: None }
    }
}

#[cfg(test)]
#[path = "serving_tests.rs"]
mod tests;
