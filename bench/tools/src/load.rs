//! The load itself: closed loop, open loop at a fixed rate, or a new connection for each request.
//!
//! The window starts with nothing outstanding and ends when everything outstanding is answered, so that the CPU time of
//! the proxy over the window divides exactly by the verified responses.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use pico_args::Arguments;
use serde_json::json;

use crate::Failure;
use crate::alarm::Alarm;
use crate::client::{Client, Scratch, Step};
use crate::draws::Draws;
use crate::histogram::Histogram;
use crate::meter::Meter;
use crate::options::{Request, none_left, seconds};
use crate::socket;

const TIMER: Token = Token(usize::MAX);
/// How long a response may be outstanding after the window before the run is given up as stalled.
const DRAIN: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Counts {
    verified: u64,
    wrong: u64,
    broken: u64,
    reconnects: u64,
}

/// When a phase stops issuing requests.
#[derive(Clone, Copy)]
struct Until {
    time: Instant,
    requests: u64,
}

struct Load {
    poll: Poll,
    request: Request,
    clients: Vec<Client>,
    idle: VecDeque<usize>,
    scratch: Scratch,
    counts: Counts,
    latency: Histogram,
    until: Until,
    issued: u64,
    outstanding: usize,
    pace: Option<Pace>,
}

/// The schedule of an open loop: when requests are due, whatever the answers do.
struct Pace {
    alarm: Alarm,
    /// Between two requests; the mean of that where it is drawn.
    gap: Duration,
    /// The seed of a Poisson process, a new one for each phase.
    seed: Option<u64>,
    draws: Draws,
    next: Instant,
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let request = Request::take(&mut arguments)?;
    let connections: usize = arguments.opt_value_from_str("--connections")?.unwrap_or(64);
    let warm = seconds(&mut arguments, "--warm", 0.5)?;
    let window = seconds(&mut arguments, "--seconds", 2.0)?;
    let requests: u64 = arguments.opt_value_from_str("--requests")?.unwrap_or(u64::MAX);
    let rate: Option<f64> = arguments.opt_value_from_str("--rate")?;
    let poisson: Option<u64> = arguments.opt_value_from_str("--poisson")?;
    let watch: Option<String> = arguments.opt_value_from_str("--watch")?;
    none_left(arguments)?;
    if poisson.is_some() && rate.is_none() {
        return Err("--poisson needs the --rate of its arrivals".into());
    }
    let pids = watch.as_deref().unwrap_or("").split(',').filter(|word| !word.is_empty());
    let pids: Vec<i32> = pids.map(str::parse).collect::<Result<_, _>>()?;

    let mut load = Load::new(request, connections, rate.map(|rate| (rate, poisson)))?;
    load.phase(warm, u64::MAX)?;
    let warm_errors = load.counts.wrong + load.counts.broken;
    load.counts = Counts::default();
    load.latency = Histogram::new();
    let meter = Meter::start(&pids)?;
    load.phase(window, requests)?;
    let mut result = meter.finish()?;
    let counts = &load.counts;
    if let Some(fields) = result.as_object_mut() {
        fields.insert("verified".into(), json!(counts.verified));
        fields.insert("errors".into(), json!({"wrong": counts.wrong, "broken": counts.broken, "warm": warm_errors}));
        fields.insert("reconnects".into(), json!(counts.reconnects));
        fields.insert("latency_us".into(), load.latency.summary());
    }
    println!("{result}");
    Ok(())
}

impl Load {
    fn new(request: Request, connections: usize, rate: Option<(f64, Option<u64>)>) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        let now = Instant::now();
        let pace = rate.map(|(rate, seed)| Pace::new(rate, seed, &poll)).transpose()?;
        let mut load = Self {
            poll,
            request,
            clients: Vec::with_capacity(connections),
            idle: (0..connections).collect(),
            scratch: Scratch::new(),
            counts: Counts::default(),
            latency: Histogram::new(),
            until: Until { time: now, requests: 0 },
            issued: 0,
            outstanding: 0,
            pace,
        };
        for index in 0..connections {
            let client = load.connected(index)?;
            load.clients.push(client);
        }
        Ok(load)
    }

    fn connected(&self, index: usize) -> Result<Client, Failure> {
        let mut stream =
            socket::connect(self.request.to, None).map_err(|error| format!("cannot connect to {}: {error}", self.request.to))?;
        self.poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Client::new(stream, Instant::now()))
    }

    /// Issues requests for `length` or until `requests` were sent, then waits for every answer.
    fn phase(&mut self, length: Duration, requests: u64) -> Result<(), Failure> {
        let start = Instant::now();
        self.until = Until { time: start + length, requests };
        self.issued = 0;
        if let Some(pace) = &mut self.pace {
            pace.restart(start)?;
        } else {
            while let Some(index) = self.idle.pop_front() {
                if !self.may_issue(start) {
                    self.idle.push_front(index);
                    break;
                }
                self.issue(index, start)?;
            }
        }
        let mut events = Events::with_capacity(1024);
        while self.outstanding > 0 || (self.pace.is_some() && self.may_issue(Instant::now())) {
            if Instant::now() > self.until.time + DRAIN {
                return Err(format!("stalled: {} requests had no answer {DRAIN:?} after the window", self.outstanding).into());
            }
            self.poll.poll(&mut events, Some(Duration::from_millis(200)))?;
            for event in &events {
                self.event(event)?;
            }
        }
        Ok(())
    }

    fn may_issue(&self, now: Instant) -> bool {
        self.issued < self.until.requests && now < self.until.time
    }

    fn issue(&mut self, index: usize, due: Instant) -> Result<(), Failure> {
        self.issued += 1;
        self.outstanding += 1;
        let step = match self.clients.get_mut(index) {
            Some(client) => client.start(&self.request, due),
            None => return Ok(()),
        };
        self.step(index, step, false)
    }

    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if event.token() == TIMER {
            return self.tick();
        }
        let index = event.token().0;
        let Some(client) = self.clients.get_mut(index) else { return Ok(()) };
        if event.is_writable() {
            let step = client.send(&self.request);
            if step != Step::Waiting {
                return self.step(index, step, false);
            }
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            let step = client.receive(&self.request, &mut self.scratch);
            return self.step(index, step, event.is_read_closed());
        }
        Ok(())
    }

    /// Books what happened on connection `index` and, in a closed loop, sends its next request. `ended`: the peer has
    /// closed its side.
    fn step(&mut self, index: usize, step: Step, ended: bool) -> Result<(), Failure> {
        let now = Instant::now();
        match step {
            Step::Waiting => return Ok(()),
            Step::Closed => return self.closed(index, now),
            Step::Verified => {
                self.counts.verified += 1;
                if let Some(client) = self.clients.get(index) {
                    self.latency.record((now - client.due).as_nanos() as u64);
                }
            }
            Step::Wrong => self.counts.wrong += 1,
            Step::Broken => self.counts.broken += 1,
        }
        if step == Step::Verified && self.request.close {
            // The exchange counts as running until the proxy has closed the connection, as it was asked to.
            return if ended { self.closed(index, now) } else { Ok(()) };
        }
        if step != Step::Verified {
            self.reconnect(index)?;
        }
        self.free(index, now)
    }

    fn closed(&mut self, index: usize, now: Instant) -> Result<(), Failure> {
        if !self.request.close {
            self.counts.reconnects += 1;
            return self.reconnect(index);
        }
        self.reconnect(index)?;
        self.free(index, now)
    }

    fn reconnect(&mut self, index: usize) -> Result<(), Failure> {
        let client = self.connected(index)?;
        if let Some(slot) = self.clients.get_mut(index) {
            *slot = client;
        }
        Ok(())
    }

    /// The connection has nothing outstanding any more.
    fn free(&mut self, index: usize, now: Instant) -> Result<(), Failure> {
        self.outstanding -= 1;
        match self.pace.as_mut().and_then(|pace| pace.overdue(now)) {
            Some(due) if self.may_issue(now) => self.issue(index, due),
            None if self.pace.is_none() && self.may_issue(now) => self.issue(index, now),
            _ => {
                self.idle.push_back(index);
                Ok(())
            }
        }
    }

    /// Open loop: sends what is due on connections that are free; what finds none waits, its latency running.
    fn tick(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        while self.may_issue(now) && !self.idle.is_empty() {
            let Some(due) = self.pace.as_mut().and_then(|pace| pace.overdue(now)) else { break };
            if let Some(index) = self.idle.pop_front() {
                self.issue(index, due)?;
            }
        }
        if let Some(pace) = &mut self.pace {
            pace.arm(now)?;
        }
        Ok(())
    }
}

impl Pace {
    fn new(rate: f64, seed: Option<u64>, poll: &Poll) -> Result<Self, Failure> {
        let gap = Duration::try_from_secs_f64(1.0 / rate).map_err(|error| format!("--rate {rate}: {error}"))?;
        Ok(Self { alarm: Alarm::new(poll, TIMER)?, gap, seed, draws: Draws::new(0), next: Instant::now() })
    }

    fn restart(&mut self, start: Instant) -> Result<(), Failure> {
        self.next = start;
        if let Some(seed) = &mut self.seed {
            self.draws = Draws::new(*seed);
            *seed = !*seed;
        }
        self.arm(start)
    }

    /// The due time of the next request if it has passed; moves the schedule on.
    fn overdue(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next;
        (due <= now).then(|| {
            self.next += if self.seed.is_some() { self.draws.exponential(self.gap) } else { self.gap };
            due
        })
    }

    /// Rings at the next due time, or soon where requests wait for a free connection.
    fn arm(&mut self, now: Instant) -> Result<(), Failure> {
        self.alarm.set(self.next, now)
    }
}
