//! Histories that once broke a promise, shrunk. Each is here for good.

use super::happens;
use super::history::{Call, Environment, Fate, History, Kind, Name, Run, Trouble};

const DEV: Run = Run {
    commit: 0,
    environment: Environment::Dev,
    build: 0,
    plain: false,
    latest: true,
    starts: 0,
    line: 5,
    cancel: None,
    crash: None,
    swapped: false,
};
const OTHER_BUILD: Run = Run { build: 1, ..DEV };
const PROD: Run = Run { environment: Environment::Prod, ..DEV };

fn trouble(run: u8, call: Call, nth: u32, times: u32, fate: Fate) -> Trouble {
    Trouble { run, call, nth, times, fate }
}

fn holds(registry: Kind, seed: u64, runs: &[Run], troubles: &[Trouble]) {
    let history = History { registry, seed, runs: runs.to_vec(), troubles: troubles.to_vec(), expiries: Vec::new() };
    let told = happens(&history);
    assert!(told.broken.is_empty(), "{:?}\n{}", told.broken, told.log.join("\n"));
}

#[test]
fn a_look_that_took_its_time_is_not_relied_on_when_a_fixed_tag_is_set() {
    // The look at one tag hangs, and meanwhile the other delivery sets another tag that both have.
    let troubles = [trouble(1, Call::Look(Name::Environment), 2, 1, Fate::ObeyedInSilence)];
    holds(Kind::RemovesTags, 0x15a, &[PROD, DEV], &troubles);
}

#[test]
fn a_fixed_tag_is_looked_at_before_the_request_that_sets_it_is_repeated() {
    let troubles = [trouble(1, Call::Put(Name::Commit), 0, 3, Fate::Refused)];
    holds(Kind::Ecr, 0x7f2, &[PROD, OTHER_BUILD], &troubles);
    let troubles = [trouble(1, Call::Put(Name::Commit), 0, 1, Fate::Refusal(429, Some(50)))];
    holds(Kind::RemovesNothing, 0x7f2, &[DEV, OTHER_BUILD], &troubles);
}

#[test]
fn a_tag_that_another_delivery_has_set_to_the_same_image_is_not_taken_away_by_one_that_fails() {
    let troubles = [trouble(2, Call::Look(Name::Environment), 5, 12, Fate::Lost)];
    holds(Kind::EcrImmutable, 0x27b, &[OTHER_BUILD, PROD, PROD], &troubles);
}

#[test]
fn a_request_that_was_lost_and_comes_when_its_tag_has_been_put_back_is_named() {
    let put = Call::Put(Name::Commit);
    let troubles =
        [trouble(0, put, 0, 1, Fate::Late(30_000)), trouble(0, Call::Put(Name::Environment), 0, 9, Fate::Refusal(403, None))];
    holds(Kind::RemovesTags, 0xa9a, &[OTHER_BUILD], &troubles);
    let troubles = [trouble(0, put, 0, 1, Fate::ObeyedAndFailed(502)), trouble(0, put, 1, 4, Fate::Late(30_000))];
    holds(Kind::EcrImmutable, 0xa9a, &[OTHER_BUILD], &troubles);
}

#[test]
fn a_cancel_while_tags_are_put_back_is_heeded() {
    let slow = Run { line: 300, cancel: Some(17_861), ..OTHER_BUILD };
    holds(Kind::KnowsConditions, 0xb9d, &[slow], &[trouble(0, Call::Put(Name::Commit), 0, 5, Fate::Lost)]);
    let slower = Run { line: 1_200, cancel: Some(34_446), ..DEV };
    holds(Kind::RemovesTags, 0x217, &[slower], &[trouble(0, Call::Look(Name::Commit), 3, 1, Fate::Wrong)]);
}

#[test]
fn what_a_registry_failed_to_say_that_it_did_is_put_back_or_named() {
    let troubles = [
        trouble(0, Call::Put(Name::Latest), 0, 9, Fate::ObeyedAndFailed(500)),
        trouble(0, Call::Look(Name::Latest), 3, 99, Fate::Refusal(500, None)),
    ];
    holds(Kind::RemovesTags, 1, &[DEV], &troubles);
}

#[test]
fn a_removal_that_was_not_done_is_not_believed() {
    let troubles = [
        trouble(0, Call::Put(Name::Environment), 0, 9, Fate::Refusal(403, None)),
        trouble(0, Call::Delete(Name::Commit), 0, 99, Fate::Wrong),
    ];
    holds(Kind::RemovesTags, 2, &[DEV], &troubles);
}

#[test]
fn a_request_that_has_gone_out_overwrites_what_is_learned_of_only_while_it_is_on_its_way() {
    holds(
        Kind::RemovesManifests,
        0x7cb,
        &[OTHER_BUILD, Run { build: 1, ..PROD }],
        &[trouble(0, Call::Put(Name::Commit), 0, 1, Fate::Late(5_000))],
    );
}

#[test]
fn a_request_without_an_answer_is_named_where_another_delivery_has_given_the_tag_to_the_same_image() {
    let slow = |run: Run| Run { line: 1_200, ..run };
    let runs = [slow(Run { latest: false, ..OTHER_BUILD }), slow(OTHER_BUILD), slow(DEV)];
    holds(Kind::Ecr, 0x84c, &runs, &[trouble(0, Call::Put(Name::Commit), 0, 1, Fate::Late(30_000))]);
}

#[test]
fn a_tag_that_a_registry_set_and_failed_and_then_refused_is_put_back() {
    let troubles = [
        trouble(0, Call::Look(Name::Commit), 6, 1, Fate::Refusal(429, Some(90))),
        trouble(0, Call::Put(Name::Latest), 1, 1, Fate::Refusal(401, None)),
        trouble(0, Call::Put(Name::Latest), 0, 1, Fate::ObeyedAndFailed(500)),
    ];
    holds(Kind::RemovesTags, 0x116f, &[OTHER_BUILD], &troubles);
}

#[test]
fn a_manifest_goes_with_its_tags_as_they_were_listed() {
    let slow = Run { line: 1_200, ..OTHER_BUILD };
    let troubles = [
        trouble(1, Call::Put(Name::Commit), 0, 1, Fate::Slow(3_000)),
        trouble(0, Call::Look(Name::Commit), 6, 2, Fate::Refusal(401, None)),
    ];
    holds(Kind::RemovesTags, 0xd08, &[slow, Run { starts: 5_962, ..slow }], &troubles);
}

#[test]
fn a_registry_that_says_in_vain_that_a_tag_is_gone_is_not_believed_at_a_cancel_either() {
    let cancelled = Run { line: 80, cancel: Some(3_839), ..OTHER_BUILD };
    holds(Kind::RemovesNothing, 0x13b8, &[cancelled], &[trouble(0, Call::Delete(Name::Commit), 0, 12, Fate::Wrong)]);
}

#[test]
fn a_refusal_that_is_lost_is_taken_for_a_yes_where_the_tag_names_the_image() {
    let prod = |starts| Run { build: 1, line: 80, starts, ..PROD };
    let troubles = [
        trouble(1, Call::Put(Name::Commit), 0, 1, Fate::AnswerLost),
        trouble(1, Call::Look(Name::Environment), 6, 5, Fate::ObeyedAndFailed(502)),
    ];
    holds(Kind::KnowsConditions, 0xedc, &[prod(2_959), prod(3_365)], &troubles);
}

#[test]
fn a_tag_that_was_refused_when_the_cancel_came_is_another_deliverys_and_stays() {
    let slow = Run { line: 300, ..OTHER_BUILD };
    let runs = [Run { cancel: Some(11_965), ..slow }, Run { commit: 1, ..OTHER_BUILD }, slow];
    holds(Kind::EcrImmutable, 0x2247, &runs, &[]);
}
