//! A snapshot, compiled: what the threads look at. The next one shares all that did not change.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::balance::callable::Callables;
use crate::error::{EngineError, Result};
use crate::exchange::client::{Forwarding, Networks};
use crate::pool::Pool;
use crate::route::RouteTable;
use crate::snapshot::{ActionSpec, DeltaSpec, RouteSpec, SnapshotSpec};

/// See the module.
pub struct Snapshot {
    /// As control sent it.
    pub spec: SnapshotSpec,
    /// The routes and their indexes.
    pub routes: Arc<RouteTable>,
    /// The pool of each route, where it has one.
    pub route_pools: Box<[Option<Arc<Pool>>]>,
    /// By name.
    pub pools: BTreeMap<String, Arc<Pool>>,
    /// How servers are told of clients.
    pub forwarding: Forwarding,
}

impl Snapshot {
    /// Compiles a specification, taking over from `previous` what is the same. `now` is seconds of the engine's clock; `callables` are the
    /// functions that pools name and that `previous` does not have.
    ///
    /// # Errors
    ///
    /// What makes no sense; nothing is changed then.
    pub fn build(spec: SnapshotSpec, previous: Option<&Self>, threads: usize, now: f64, callables: &Callables) -> Result<Self> {
        let routes = match previous {
            Some(known) if known.spec.routes == spec.routes => Arc::clone(&known.routes),
            known => Arc::new(RouteTable::compile(&spec.routes, known.map(|known| &*known.routes))?),
        };
        let mut pools = BTreeMap::new();
        for (name, pool) in &spec.pools {
            let known = previous.and_then(|previous| previous.pools.get(name));
            let built = match known {
                Some(known) if known.spec == *pool && !known.asks_another(callables) => Arc::clone(known),
                known => {
                    let known = known.map(|pool| &**pool);
                    let built = Pool::build(name, pool.clone(), known, threads, now).and_then(|pool| pool.asking(callables, known));
                    Arc::new(built.map_err(EngineError::Invalid)?)
                }
            };
            pools.insert(name.clone(), built);
        }
        let route_pools = spec.routes.iter().map(|route| pool_of(route, &pools)).collect::<Result<_>>()?;
        let trusted = Networks::parse(&spec.trusted_proxies)
            .map_err(|text| EngineError::Invalid(format!("trusted_proxies: {text:?} is neither an address nor a network")))?;
        let forwarding = Forwarding::new(spec.forwarded, trusted, &spec.name);
        Ok(Self { spec, routes, route_pools, pools, forwarding })
    }

    /// The same with pools built anew, whose endpoints' weights are others than declared.
    ///
    /// # Errors
    ///
    /// What makes no sense.
    pub fn reweighed(&self, names: &[&str], threads: usize, now: f64) -> Result<Self> {
        let mut pools = self.pools.clone();
        for (name, known) in &self.pools {
            if names.contains(&name.as_str()) {
                let built = Pool::build(name, known.spec.clone(), Some(known), threads, now);
                let asking = built.and_then(|pool| pool.asking(&Callables::new(), Some(known)));
                pools.insert(name.clone(), Arc::new(asking.map_err(EngineError::Invalid)?));
            }
        }
        let route_pools = self.spec.routes.iter().map(|route| pool_of(route, &pools)).collect::<Result<_>>()?;
        let (spec, routes, forwarding) = (self.spec.clone(), Arc::clone(&self.routes), self.forwarding.clone());
        Ok(Self { spec, routes, route_pools, pools, forwarding })
    }

    /// The specification that a delta makes of this one.
    ///
    /// # Errors
    ///
    /// That the delta was made against another snapshot, or names a route that is not there.
    pub fn apply(&self, delta: DeltaSpec) -> Result<SnapshotSpec> {
        if delta.base != self.spec.number {
            let text = format!("the delta is against snapshot {}, but {} serves", delta.base, self.spec.number);
            return Err(EngineError::Invalid(text));
        }
        if delta.number <= delta.base {
            return Err(EngineError::Invalid(format!("snapshot {} does not come after snapshot {}", delta.number, delta.base)));
        }
        let mut spec = self.spec.clone();
        spec.number = delta.number;
        spec.limits = delta.limits.unwrap_or(spec.limits);
        spec.trusted_proxies = delta.trusted_proxies.unwrap_or(spec.trusted_proxies);
        spec.forwarded = delta.forwarded.unwrap_or(spec.forwarded);
        spec.listeners = delta.listeners.unwrap_or(spec.listeners);
        for name in &delta.removed_pools {
            spec.pools.remove(name);
        }
        spec.pools.extend(delta.pools);
        if delta.route_order.is_some() || !delta.routes.is_empty() {
            spec.routes = reorder(spec.routes, delta.routes, delta.route_order)?;
        }
        Ok(spec)
    }
}

fn pool_of(route: &RouteSpec, pools: &BTreeMap<String, Arc<Pool>>) -> Result<Option<Arc<Pool>>> {
    match &route.action {
        ActionSpec::Pool(name) => match pools.get(name) {
            Some(pool) => Ok(Some(Arc::clone(pool))),
            None => Err(EngineError::Invalid(format!("route {}: there is no pool {name:?}", route.id))),
        },
        _ => Ok(None),
    }
}

fn reorder(mut old: Vec<Arc<RouteSpec>>, changed: Vec<Arc<RouteSpec>>, order: Option<Vec<String>>) -> Result<Vec<Arc<RouteSpec>>> {
    let strange = |id: &str| EngineError::Invalid(format!("the delta orders route {id:?}, which is not there or twice"));
    let Some(order) = order else {
        let mut changed: HashMap<String, Arc<RouteSpec>> = changed.into_iter().map(|route| (route.id.clone(), route)).collect();
        for route in &mut old {
            if let Some(new) = changed.remove(&route.id) {
                *route = new;
            }
        }
        return changed.keys().next().map_or(Ok(old), |id| Err(strange(id)));
    };
    let mut by_id: HashMap<String, Arc<RouteSpec>> = old.into_iter().chain(changed).map(|route| (route.id.clone(), route)).collect();
    order.into_iter().map(|id| by_id.remove(&id).ok_or_else(|| strange(&id))).collect()
}
