//! The clock over many kinds of paths.

use super::*;

/// A server of 60 Hz and a path of `delay_ms(tick)` each way; returns the input margins in ticks.
fn run(delay_ms: impl Fn(u32) -> u64, ticks: u32) -> (Vec<f64>, ServerClock) {
    run_from(Duration::from_secs(5), delay_ms, ticks)
}

/// Like [`run`], with a server whose first tick came at `zero` of the client's time.
fn run_from(zero: Duration, delay_ms: impl Fn(u32) -> u64, ticks: u32) -> (Vec<f64>, ServerClock) {
    let period = Duration::from_secs(1) / 60;
    let deadline = |tick: u32| zero + period * tick;
    let joined = deadline(100) + Duration::from_millis(delay_ms(0));
    let mut clock = ServerClock::new(60, joined, Tick(100));
    let mut margins = Vec::new();
    let mut sent: Vec<(Tick, Duration, f64, Duration)> = Vec::new();
    for tick in 101..101 + ticks {
        let delay = Duration::from_millis(delay_ms(tick - 101));
        // The server's tick: the newest input that had arrived.
        let due = deadline(tick);
        let newest = sent.iter().rev().find(|(.., came)| *came <= due).copied();
        let arrived = due + delay;
        clock.snapshot(arrived, Tick(tick));
        if let Some((input, at, origin, came)) = newest {
            let margin_ms = (deadline(input.0).as_secs_f64() - came.as_secs_f64()) * 1e3;
            margins.push(margin_ms / 1e3 * 60.0);
            let report = InputReport {
                newest_ticks: input.since(Tick(tick)),
                margin_eighth_ms: (margin_ms * 8.0).clamp(-2048.0, 2047.0) as i32,
                dip_eighth_ms: 0,
            };
            clock.report(arrived, Tick(tick), report, (at, origin));
        }
        // The client's frames between this snapshot and the next.
        for frame in 0..4 {
            let at = arrived + period * frame / 4;
            clock.advance(at);
            let input = clock.input_tick(at);
            if sent.last().is_none_or(|(last, ..)| input.since(*last) > 0) {
                sent.push((input, at, clock.input_origin(), at + delay));
            }
        }
    }
    (margins, clock)
}

#[test]
fn inputs_settle_to_arrive_just_in_time_at_any_distance() {
    for delay_ms in [0, 20, 100, 200] {
        let (margins, clock) = run(|_| delay_ms, 600);
        let settled = &margins[margins.len() - 100..];
        assert!(settled.iter().all(|m| (0.0..1.5).contains(m)), "{delay_ms} ms: {settled:?}");
        let rtt = f64::from(clock.rtt_ms());
        assert!((rtt - 2.0 * delay_ms as f64).abs() < 3.0, "{delay_ms} ms: rtt {rtt}");
    }
}

#[test]
fn a_page_that_was_open_for_a_month_keeps_time_as_well() {
    let path = |tick: u32| 40 + u64::from(tick % 5);
    let (margins, clock) = run(path, 900);
    let (later_margins, later) = run_from(Duration::from_secs(30 * 86_400), path, 900);
    let mean = |margins: &[f64]| margins[600..].iter().sum::<f64>() / 300.0;
    let (margin, later_margin) = (mean(&margins), mean(&later_margins));
    assert!((margin - later_margin).abs() < 0.05, "{margin} and {later_margin} ticks");
    let (delay, later_delay) = (clock.delay_ticks(), later.delay_ticks());
    assert!((delay - later_delay).abs() < 0.05, "{delay} and {later_delay} ticks");
}

#[test]
fn what_a_path_that_loses_nothing_leaves_out_is_no_loss_and_a_stall_shows_nothing_ahead() {
    let mut clock = ServerClock::new(60, Duration::ZERO, Tick(0));
    clock.set_lossless(true);
    let period = Duration::from_secs(1) / 60;
    let (mut newest, mut came) = (0, 0);
    for tick in 1..=1200u32 {
        let now = period * tick;
        clock.advance(now);
        clock.show(now);
        // For one second nothing comes, then only the newest, and every second snapshot from then
        // on.
        if (600..660).contains(&tick) || tick > 700 && tick % 2 == 0 {
            continue;
        }
        clock.snapshot(now, Tick(tick));
        (newest, came) = (tick, came + 1);
        assert!((0.0..2000.0).contains(&clock.delay_ms()), "{} ms", clock.delay_ms());
    }
    assert_eq!(came + clock.missed(), u64::from(newest));
}

#[test]
fn a_snapshot_that_waited_in_a_stall_shows_nothing_ahead() {
    let mut clock = ServerClock::new(60, Duration::ZERO, Tick(0));
    clock.set_lossless(true);
    let period = Duration::from_secs(1) / 60;
    for tick in 1..=760u32 {
        let now = period * tick;
        clock.advance(now);
        clock.show(now);
        // The path stands still for two seconds, and then delivers what it held, one a tick.
        match tick {
            1..=600 => _ = clock.snapshot(now, Tick(tick)),
            601..=720 => {}
            _ => _ = clock.snapshot(now, Tick(tick - 120)),
        }
        assert!(clock.delay_ticks() >= 0.0, "{} ticks at {tick}", clock.delay_ticks());
    }
}

#[test]
fn inputs_are_in_time_within_five_round_trips_of_the_start() {
    for delay_ms in [5, 20, 100, 200] {
        let (margins, _) = run(|_| delay_ms, 300);
        let round_trips = 5 * 2 * delay_ms as usize * 60 / 1000 + 1;
        assert!(margins[round_trips..].iter().all(|m| *m > 0.0), "{delay_ms} ms: {margins:?}");
    }
}

#[test]
fn a_path_that_grows_by_180_ms_and_shrinks_again_is_followed() {
    let path = |tick| if (600..1200).contains(&tick) { 100 } else { 10 };
    let (margins, _) = run(path, 2400);
    // One second after the change every input is in time; later none is early any more.
    assert!(margins[660..1190].iter().all(|m| *m > 0.0));
    assert!(margins[900..1190].iter().all(|m| *m < 1.5), "{:?}", &margins[900..1190]);
    let end = &margins[margins.len() - 100..];
    assert!(end.iter().all(|m| (0.0..1.5).contains(m)), "{end:?}");
}

#[test]
fn what_is_shown_never_goes_back_and_keeps_its_delay() {
    let (_, mut clock) = run(|_| 50, 100);
    let mut last = 0.0;
    for frame in 0..100u32 {
        let now = Duration::from_millis(5 * 1000 + 3400 + u64::from(frame) * 7);
        let shown = clock.show(now).unwrap();
        assert!(shown >= last);
        last = shown;
    }
    assert!((clock.delay_ticks() - 2.0).abs() < 0.1, "{}", clock.delay_ticks());
}

#[test]
fn a_page_in_the_background_shows_others_late_and_never_early_and_is_soon_as_before() {
    let period = Duration::from_secs(1) / 60;
    let mut clock = ServerClock::new(60, Duration::ZERO, Tick(0));
    let mut before = 0.0;
    for tick in 1..3000 {
        let due = period * tick;
        // For half a minute it runs every 400 ms and handles all arrivals at once.
        let runs_ms = if (600..2400).contains(&tick) { 400 } else { 1 };
        let now = Duration::from_millis(due.as_millis().div_ceil(runs_ms) as u64 * runs_ms as u64);
        clock.snapshot(now, Tick(tick));
        clock.show(now);
        match tick {
            599 => before = clock.delay_ms(),
            2399 => assert!(clock.delay_ms() > 150.0, "{} ms", clock.delay_ms()),
            2999 => assert!(clock.delay_ms() < before + 20.0, "{before}, {} ms", clock.delay_ms()),
            _ => assert!(clock.delay_ms() >= 0.0, "{} ms in tick {tick}", clock.delay_ms()),
        }
    }
}

/// The page stands still for ten seconds, and then reads `per_frame` of the snapshots that waited in each frame; those that come
/// since then are later by `later` ticks than before. Returns the delay before the pause and, after each frame since, the delay and
/// how far the newest snapshot is ahead of what is shown, all in ticks.
fn delays_after_a_pause(per_frame: u32, later: u32) -> (f64, Vec<(f64, f64)>) {
    let period = Duration::from_secs(1) / 60;
    let mut clock = ServerClock::new(60, Duration::ZERO, Tick(0));
    let mut next = 1;
    let (mut before, mut after) = (0.0, Vec::new());
    for frame in (1..600).chain(1200..2400u32) {
        let now = period * frame;
        clock.advance(now);
        let newest = if frame < 600 { frame } else { frame - later };
        let last = newest.min(next + per_frame - 1);
        (next..=last).for_each(|tick| _ = clock.snapshot(now, Tick(tick)));
        next = next.max(last + 1);
        let shown = clock.show(now).unwrap();
        match frame {
            ..600 => before = clock.delay_ticks(),
            _ => after.push((clock.delay_ticks(), f64::from(next - 1) - shown)),
        }
    }
    (before, after)
}

#[test]
fn snapshots_that_waited_while_the_page_stood_still_delay_nothing_however_long_it_takes_to_read_them()
 {
    for per_frame in [2, 4, 60] {
        let (before, after) = delays_after_a_pause(per_frame, 0);
        let most = after.into_iter().map(|(delay, _)| delay).fold(0.0, f64::max);
        assert!(most < before + 1.0, "{per_frame} in a frame: {most} ticks, {before} before");
    }
}

#[test]
fn a_path_that_is_slower_after_a_pause_is_followed_once_what_waited_was_read() {
    // Four in a frame are three more than come: 600 are read in 200 frames.
    for (per_frame, read_by) in [(4, 200), (60, 10)] {
        let (_, after) = delays_after_a_pause(per_frame, 12);
        let starved = |(_, ahead): &(f64, f64)| *ahead < 0.0;
        // What is shown becomes slower by a twentieth until it is 12 ticks later: in 240 frames.
        let last = after.iter().rposition(starved).unwrap_or(0);
        assert!(last < read_by + 260, "{per_frame} in a frame: without a state to show in {last}");
    }
}
