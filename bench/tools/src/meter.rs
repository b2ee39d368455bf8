//! CPU time of the processes under test and of the cores they run on, over a window.

use std::collections::BTreeMap;
use std::fs;

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde_json::{Map, Value, json};

use crate::Failure;

/// Nanoseconds of `CLOCK_MONOTONIC`: the same clock in every process of the machine.
pub fn monotonic() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

#[derive(Clone, Copy)]
struct Usage {
    nanos: u64,
    user_ticks: u64,
    system_ticks: u64,
}

fn usage(pid: i32) -> Result<Usage, Failure> {
    // The process's own CPU clock counts nanoseconds; the utime/stime ticks (100 Hz) serve only for the split.
    let gone = |error| format!("cannot read the CPU clock of process {pid}: {error}");
    let time = clock_gettime(clock_getcpuclockid(Pid::from_raw(pid)).map_err(gone)?).map_err(gone)?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let tick = |field: usize| after_name.split_whitespace().nth(field).and_then(|word| word.parse().ok()).unwrap_or(0);
    Ok(Usage { nanos: time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64, user_ticks: tick(11), system_ticks: tick(12) })
}

/// (busy, total) ticks of each core, from `/proc/stat`.
fn cores() -> Result<Vec<(u64, u64)>, Failure> {
    let text = fs::read_to_string("/proc/stat")?;
    Ok(text
        .lines()
        .filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "))
        .map(|line| {
            let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
            let total: u64 = ticks.iter().sum();
            let idle = ticks.get(3).unwrap_or(&0) + ticks.get(4).unwrap_or(&0);
            (total - idle, total)
        })
        .collect())
}

/// Reads the CPU clocks at the start of a window; [`Meter::finish`] gives the differences.
pub struct Meter {
    at: u64,
    processes: BTreeMap<i32, Usage>,
    own: Usage,
    cores: Vec<(u64, u64)>,
}

impl Meter {
    pub fn start(watch: &[i32]) -> Result<Self, Failure> {
        let processes = watch.iter().map(|&pid| Ok((pid, usage(pid)?))).collect::<Result<_, Failure>>()?;
        Ok(Self { at: monotonic(), own: usage(own_pid())?, processes, cores: cores()? })
    }

    /// `{seconds, cpu: {PID: {ns, user_ticks, system_ticks}}, own_ns, cores: [share busy, ...]}`
    pub fn finish(&self) -> Result<Value, Failure> {
        let mut cpu = Map::new();
        for (&pid, before) in &self.processes {
            let now = usage(pid)?;
            cpu.insert(
                pid.to_string(),
                json!({"ns": now.nanos - before.nanos, "user_ticks": now.user_ticks - before.user_ticks,
                       "system_ticks": now.system_ticks - before.system_ticks}),
            );
        }
        let busy: Vec<f64> =
            cores()?.iter().zip(&self.cores).map(|(now, before)| (now.0 - before.0) as f64 / ((now.1 - before.1).max(1)) as f64).collect();
        let own = usage(own_pid())?.nanos - self.own.nanos;
        Ok(json!({"seconds": (monotonic() - self.at) as f64 / 1e9, "cpu": cpu, "own_ns": own, "cores": busy}))
    }
}

fn own_pid() -> i32 {
    Pid::this().as_raw()
}
