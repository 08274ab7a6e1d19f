//! Throughput and latency as ratios to the floor, in alternation.

use serde_json::{Value, json};

use crate::{
    Options,
    floor::Floor,
    oracle::Oracle,
    target::{Target, batch, timed, with_store},
    world::{Question, World},
    wrk::{Load, Run},
};

/// Questions whose answers are compared before anything is timed.
const CHECKED: usize = 200;
/// Questions that are asked in turn.
const ASKED: u64 = 20_000;
/// The same with entities in them, each some 3 kB.
const ASKED_INLINE: usize = 4_000;
/// Items of a batch.
const ITEMS: usize = 20;

/// The two servers, asked the same.
struct Pair<'a> {
    floor: &'a str,
    server: &'a str,
    options: &'a Options,
}

/// Medians of what a pair did.
#[derive(Debug, Clone, Copy)]
struct Ratio {
    floor: Run,
    server: Run,
    rate: f64,
    p99: f64,
}

/// Every measurement with one number of policies, as rows of a table.
pub(crate) fn measure(policies: u64, options: &Options) {
    let world = World { policies, entities: options.entities };
    let target = Target::start();
    timed("publish, activate and store the entities", || target.fill(world));
    let questions = world.questions(ASKED);
    let oracle = timed("the same for Cedar's authorizer", || Oracle::new(world));
    let allowed = timed(&format!("{CHECKED} answers compared, all equal"), || {
        let sample = (0..CHECKED).map(|number| &questions[number * 997 % questions.len()]);
        sample.filter(|asked| oracle.check(asked, target.ask(asked))).count()
    });
    println!("of these, allowed: {allowed}");
    drop(oracle);

    let answer = target.ask(&questions[0]).text;
    let floor = Floor::start(&answer);
    let pair = Pair { floor: &floor.url, server: target.url(), options };
    let line = |body: Value| body.to_string();
    let token = target.token();

    header();
    let bodies: Vec<String> = questions.iter().map(|asked| line(with_store(asked.body()))).collect();
    let single = pair.ratio(&Load::new("/v1/authorize", token, &bodies));
    row(&format!("{policies} policies"), single);

    if options.extras {
        let inline = |asked: &Question| {
            let mut body = with_store(asked.body());
            body["entities"] = json!(world.inline(asked));
            line(body)
        };
        let bodies: Vec<String> = questions.iter().take(ASKED_INLINE).map(inline).collect();
        row(
            &format!("{policies} policies, 14 inline"),
            pair.ratio(&Load::new("/v1/authorize", token, &bodies)),
        );

        assert_eq!(target.batch(&questions[..ITEMS]).status, 200);
        let bodies: Vec<String> = questions.chunks_exact(ITEMS).map(|asked| line(batch(asked))).collect();
        let batched = pair.ratio(&Load::new("/v1/authorize/batch", token, &bodies));
        row(&format!("{policies} policies, batch of {ITEMS}"), batched);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let items = batched.server.rate * ITEMS as f64;
        println!(
            "one item of a batch costs {:.2} of a single question ({items:.0} decisions a second)",
            single.server.rate / items
        );

        let health = Pair { server: target.admin_url(), ..pair };
        row("`/healthz`", health.ratio(&Load::new("/healthz", token, &[])));
    }
    let count = target.metric("bailiwick_decisions_total", &format!("store=\"{}\"", crate::target::STORE));
    println!("decisions counted by the server's own metrics: {count:.0}");
    println!("resident memory of the server: {} MiB", target.resident_mib());
}

impl Pair<'_> {
    /// Floor and server in turn, after a warm-up of each.
    fn ratio(&self, load: &Load) -> Ratio {
        let run = |url: &str, seconds: u64| {
            let run = load.run(url, seconds);
            assert_eq!(run.failed, 0, "{url} did not answer 2xx to everything");
            run
        };
        run(self.floor, 1);
        run(self.server, 2);
        let (mut floors, mut servers) = (Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            floors.push(run(self.floor, self.options.seconds));
            servers.push(run(self.server, self.options.seconds));
        }
        let of_pairs = |ratio: &dyn Fn(&Run, &Run) -> f64| {
            median(floors.iter().zip(&servers).map(|(floor, server)| ratio(floor, server)).collect())
        };
        Ratio {
            floor: medians(&floors),
            server: medians(&servers),
            rate: of_pairs(&|floor, server| server.rate / floor.rate),
            p99: of_pairs(&|floor, server| server.p99 / floor.p99),
        }
    }
}

fn header() {
    println!(
        "\n| question | floor, req/s | server, req/s | ratio | floor p50/p99, ms | server p50/p99, ms | p99 ratio |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
}

fn row(name: &str, measured: Ratio) {
    let Ratio { floor, server, rate, p99 } = measured;
    let ms = |run: Run| format!("{:.2} / {:.2}", run.p50 / 1e3, run.p99 / 1e3);
    println!(
        "| {name} | {:.0} | {:.0} | {rate:.2} | {} | {} | {p99:.2} |",
        floor.rate,
        server.rate,
        ms(floor),
        ms(server)
    );
}

fn medians(runs: &[Run]) -> Run {
    let of = |value: &dyn Fn(&Run) -> f64| median(runs.iter().map(value).collect());
    Run { rate: of(&|run| run.rate), p50: of(&|run| run.p50), p99: of(&|run| run.p99), failed: 0 }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
