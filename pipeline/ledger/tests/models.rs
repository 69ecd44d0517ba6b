//! What the book of models promises: alone, beside a station that writes, with others at once, and when killed.

use jiff::Timestamp;
use plumb_inspection::{ModelName, PartId, RecipeName, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    Full, Ledger, LedgerConfig, LedgerError, LivePlace, ModelBook, ModelChange, ModelEntry, ModelError,
    ModelState, NewModel, Query, Record, RecordVerdict,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const FOLDER: &str = "PLUMB_MODELS_CHILD_FOLDER";

fn digest(start: &str) -> String {
    format!("{start:0<64}")
}

fn draft(start: &str, name: &str) -> NewModel {
    NewModel { digest: digest(start), name: name.into(), family: Some("detector".into()), about: None }
}

fn pairs(models: &[(&str, &str)]) -> Vec<(ModelName, String)> {
    models.iter().map(|(name, start)| (ModelName::from(*name), digest(start))).collect()
}

fn place(recipe: &str, name: &str) -> LivePlace {
    LivePlace { recipe: recipe.into(), name: name.into() }
}

fn get(book: &ModelBook, start: &str) -> ModelEntry {
    book.get(&digest(start)).expect("readable").expect("known")
}

/// `draft→shadow line`, one a change: from, to, and the recipe.
fn steps(book: &ModelBook, start: &str) -> Vec<String> {
    let told = |change: &ModelChange| {
        let from = change.from.map_or("", ModelState::as_str);
        let recipe = change.recipe.as_ref().map_or("", RecipeName::as_str);
        format!("{from}→{} {recipe}", change.to).trim_end().to_owned()
    };
    book.history(&digest(start)).expect("readable").iter().map(told).collect()
}

fn lead(book: &ModelBook, start: &str, states: &[ModelState]) {
    for &state in states {
        book.change(&digest(start), state, "ann", "as planned").expect("a way");
    }
}

/// The history and the present say the same, of every model.
fn check(book: &ModelBook) {
    let mut live: BTreeMap<LivePlace, String> = BTreeMap::new();
    for model in book.list().expect("readable") {
        assert_eq!(model.state == ModelState::Live, !model.live_in.is_empty(), "{model:?}");
        for place in &model.live_in {
            let other = live.insert(place.clone(), model.digest.clone());
            assert_eq!(other, None, "two are live in {place:?}");
        }
        let history = book.history(&model.digest).expect("readable");
        assert_eq!((history[0].from, history[0].to), (None, ModelState::Draft), "{history:?}");
        let (mut state, mut places) = (None, BTreeSet::new());
        for change in &history {
            let Some(recipe) = &change.recipe else {
                assert_eq!(change.from, state, "{history:?}");
                (state, places) = (Some(change.to), BTreeSet::new());
                continue;
            };
            let place = LivePlace { recipe: recipe.clone(), name: change.name.clone() };
            if change.to == ModelState::Live {
                assert!(places.insert(place), "{history:?}");
                state = Some(ModelState::Live);
            } else {
                assert!(change.from == Some(ModelState::Live) && places.remove(&place), "{history:?}");
                state = if places.is_empty() { Some(change.to) } else { Some(ModelState::Live) };
            }
        }
        assert_eq!(state, Some(model.state), "{history:?}");
        assert_eq!(places.into_iter().collect::<Vec<_>>(), model.live_in);
    }
}

#[test]
fn a_model_is_led_from_draft_to_retirement_and_every_step_is_kept_with_who_and_why() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = ModelBook::new(folder.path());
    assert!(matches!(book.list(), Err(LedgerError::Absent { .. })), "looking makes no ledger");
    let before = Timestamp::now();
    let model = NewModel { about: Some("bottles".into()), ..draft("ab", "caps") };
    let entry = book.register(&model, "ann").expect("a new ledger");
    assert_eq!(
        (entry.state, entry.family.as_deref(), entry.by.as_str()),
        (ModelState::Draft, Some("detector"), "ann")
    );
    lead(&book, "ab", &[ModelState::Shadow, ModelState::Approved]);
    let entry = book.go_live(&model.digest, &[place("line", "caps")], "bob", "release 7").expect("approved");
    assert_eq!((entry.state, entry.live_in), (ModelState::Live, vec![place("line", "caps")]));
    let entry = book.change(&model.digest, ModelState::Retired, "eve", "escapes").expect("recalled");
    assert_eq!((entry.live_in, entry.why.as_str()), (vec![], "escapes"));
    assert_eq!(
        steps(&book, "ab"),
        ["→draft", "draft→shadow", "shadow→approved", "approved→live line", "live→retired"]
    );
    let history = book.history(&model.digest).expect("readable");
    assert!(
        history.windows(2).all(|two| two[0].at <= two[1].at)
            && history[0].at >= before.round(jiff::Unit::Microsecond).expect("in range")
    );
    assert_eq!((history[3].by.as_str(), history[3].why.as_str()), ("bob", "release 7"));
    check(&book);
}

#[test]
fn what_is_refused_changes_nothing_and_names_the_way() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = ModelBook::new(folder.path());
    book.register(&draft("ab", "caps"), "ann").expect("written");
    let id = digest("ab");
    let refused = |to, places: &[LivePlace], by: &str, why: &str| {
        let told = match to {
            ModelState::Live => book.go_live(&id, places, by, why),
            _ => book.change(&id, to, by, why),
        };
        told.expect_err("refused").to_string()
    };
    let here = [place("line", "caps")];
    let says = refused(ModelState::Live, &here, "ann", "now");
    assert!(
        says.contains("is draft and cannot become live; the way is draft → shadow → approved → live"),
        "{says}"
    );
    assert!(refused(ModelState::Approved, &[], "ann", "now").contains("draft → shadow → approved"));
    assert!(refused(ModelState::Shadow, &[], " ", "now").contains("who makes it"));
    assert!(refused(ModelState::Shadow, &[], "ann", "").contains("a reason"));
    assert_eq!(steps(&book, "ab"), ["→draft"]);
    lead(&book, "ab", &[ModelState::Shadow, ModelState::Approved]);
    assert!(refused(ModelState::Live, &[], "ann", "now").contains("named by no recipe"));
    book.go_live(&id, &here, "ann", "now").expect("approved");
    assert!(refused(ModelState::Live, &here, "ann", "now").contains("it is that already"));
    assert!(
        refused(ModelState::Approved, &[], "ann", "now").contains("until a recipe names another version")
    );
    lead(&book, "ab", &[ModelState::Retired]);
    assert!(refused(ModelState::Approved, &[], "ann", "now").contains("retired → draft → shadow → approved"));
    let unknown = book.change(&digest("cd"), ModelState::Shadow, "ann", "now").expect_err("unknown");
    assert!(matches!(unknown, ModelError::Unknown { .. }), "{unknown}");
    for bad in ["", "xyz", &"A".repeat(64)] {
        let model = NewModel { digest: bad.to_owned(), ..draft("ab", "caps") };
        assert!(matches!(book.register(&model, "ann"), Err(ModelError::NoDigest { .. })), "{bad:?}");
    }
    check(&book);
}

#[test]
fn the_models_of_a_recipe_are_live_after_its_start_and_a_second_start_notes_nothing() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = ModelBook::new(folder.path());
    let line = RecipeName::from("line");
    let models = pairs(&[("caps", "ab"), ("dents", "cd")]);
    for _ in 0..2 {
        book.put_live(&line, &models, "station.toml").expect("written");
        assert_eq!(steps(&book, "ab"), ["→draft", "draft→live line"]);
        assert_eq!(get(&book, "cd").by, "station.toml");
    }
    check(&book);
}

#[test]
fn a_newer_version_takes_the_place_of_the_older_one_which_is_approved_again() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = ModelBook::new(folder.path());
    let (line, other) = (RecipeName::from("line"), RecipeName::from("other"));
    book.put_live(&line, &pairs(&[("caps", "ab"), ("dents", "cd")]), "station.toml").expect("written");
    book.put_live(&other, &pairs(&[("caps", "ab")]), "station.toml").expect("written");
    book.put_live(&line, &pairs(&[("caps", "ef")]), "station.toml").expect("written");
    let (old, new, gone) = (get(&book, "ab"), get(&book, "ef"), get(&book, "cd"));
    assert_eq!((old.state, old.live_in), (ModelState::Live, vec![place("other", "caps")]), "live elsewhere");
    assert_eq!((new.state, new.live_in), (ModelState::Live, vec![place("line", "caps")]));
    assert_eq!(gone.state, ModelState::Approved, "the recipe names it no more");
    book.put_live(&other, &pairs(&[("caps", "ef")]), "station.toml").expect("written");
    assert_eq!(get(&book, "ab").state, ModelState::Approved);
    assert_eq!(
        steps(&book, "ab"),
        ["→draft", "draft→live line", "approved→live other", "live→approved line", "live→approved other"]
    );
    assert!(book.history(&digest("ab")).expect("readable")[4].why.contains("replaced by ef0000000000"));
    // And back: the older version is one word away.
    book.go_live(&digest("ab"), &[place("line", "caps")], "ann", "ef misses small caps").expect("approved");
    assert_eq!(get(&book, "ef").live_in, [place("other", "caps")]);
    book.keep_recipes(&[line], "station.toml").expect("written");
    assert_eq!(get(&book, "ef").state, ModelState::Approved, "its recipe is gone");
    assert_eq!(get(&book, "ab").state, ModelState::Live);
    check(&book);
}

#[test]
fn a_recipe_with_a_retired_model_goes_live_with_none_of_its_models() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = ModelBook::new(folder.path());
    let line = RecipeName::from("line");
    book.put_live(&line, &pairs(&[("caps", "ab"), ("dents", "cd")]), "station.toml").expect("written");
    for start in ["ab", "cd"] {
        lead(&book, start, &[ModelState::Retired]);
    }
    let models = pairs(&[("new", "ef"), ("caps", "ab"), ("dents", "cd")]);
    let error = book.put_live(&line, &models, "station.toml").expect_err("retired");
    let says = error.to_string();
    assert!(
        says.contains("\"caps\" ab0000000000, \"dents\" cd0000000000") && says.contains("--to draft"),
        "{says}"
    );
    assert_eq!(book.get(&digest("ef")).expect("readable"), None, "all or nothing");
    lead(&book, "ab", &[ModelState::Draft]);
    book.put_live(&line, &pairs(&[("caps", "ab")]), "station.toml").expect("back from retirement");
    let twice = book.put_live(&line, &pairs(&[("caps", "ab"), ("caps", "ef")]), "station.toml");
    assert!(matches!(twice, Err(ModelError::Twice { .. })));
    check(&book);
}

#[test]
fn where_approval_is_required_the_book_says_who_lacks_it() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = ModelBook::new(folder.path());
    for start in ["ab", "cd", "ef"] {
        book.register(&draft(start, "caps"), "ann").expect("written");
    }
    lead(&book, "ab", &[ModelState::Shadow, ModelState::Approved]);
    lead(&book, "cd", &[ModelState::Shadow]);
    let digests = ["ab", "cd", "ef", "99"].map(digest);
    let wanted: Vec<&str> = digests.iter().map(String::as_str).collect();
    assert_eq!(book.unapproved(&wanted).expect("readable"), &digests[1..]);
}

#[test]
fn what_a_card_says_later_is_filled_in_and_nothing_else() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = ModelBook::new(folder.path());
    book.put_live(&"line".into(), &pairs(&[("caps", "ab")]), "station.toml").expect("written");
    let told = NewModel { about: Some("bottles".into()), ..draft("ab", "other-name") };
    let entry = book.register(&told, "ann").expect("written");
    assert_eq!((entry.family.as_deref(), entry.about.as_deref()), (Some("detector"), Some("bottles")));
    assert_eq!(
        (entry.name.as_str(), entry.by.as_str(), entry.state),
        ("caps", "station.toml", ModelState::Live)
    );
}

#[test]
fn the_database_itself_refuses_to_rewrite_history_or_to_have_two_versions_live() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = ModelBook::new(folder.path());
    book.put_live(&"line".into(), &pairs(&[("caps", "ab")]), "station.toml").expect("written");
    let database = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).expect("the database");
    for (sql, says) in [
        ("UPDATE model_changes SET by = 'me'", "not rewritten"),
        ("DELETE FROM model_changes", "not deleted"),
        ("INSERT INTO live_models SELECT recipe, name, digest FROM live_models", "UNIQUE"),
        ("UPDATE models SET state = 'great'", "CHECK"),
    ] {
        let error = database.execute(sql, []).expect_err("refused").to_string();
        assert!(error.contains(says), "{sql}: {error}");
    }
}

fn record(ledger: &Ledger) -> Record {
    let part: PartId = ledger.numbers().next();
    let trigger = Trigger { part, source: TriggerSource::Plc, at: Stamp::now(), encoder: None };
    Record::new(&trigger, RecordVerdict::Pass, "line".into(), "s1")
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("a path"))
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child of ourselves")
}

/// What the child says it has done; the test harness talks in between, and a kill may cut a line in two.
fn done(line: &str) -> Option<u64> {
    line.strip_prefix("done ")?.strip_suffix(" .")?.parse().ok()
}

/// Not a test of its own: changes models without end, and says after each that it is done.
#[test]
#[ignore = "run by the other tests in a process of its own"]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let book = ModelBook::new(Path::new(&folder));
    let mut out = std::io::stdout().lock();
    for turn in 0_u64.. {
        let now = if turn.is_multiple_of(2) { "aa" } else { "bb" };
        book.put_live(&"line".into(), &pairs(&[("caps", now), ("dents", "dd")]), "child").expect("written");
        let why = format!("turn {turn}");
        let (from, to) = if turn.is_multiple_of(2) {
            (ModelState::Draft, ModelState::Shadow)
        } else {
            (ModelState::Shadow, ModelState::Draft)
        };
        book.register(&draft("cc", "next"), "child").expect("written");
        if get(&book, "cc").state == from {
            book.change(&digest("cc"), to, "child", &why).expect("a way");
        }
        writeln!(out, "done {turn} .").and_then(|()| out.flush()).expect("the parent listens");
    }
}

#[test]
fn a_process_killed_between_leaves_history_and_present_in_step_and_loses_no_change_it_reported() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = ModelBook::new(folder.path());
    let mut reported = 0;
    for trial in 0..8_u64 {
        let mut child = start(folder.path());
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut last = lines.by_ref().find_map(|line| done(&line.expect("text")));
        let reading =
            thread::spawn(move || lines.map_while(Result::ok).filter_map(|line| done(&line)).last());
        thread::sleep(Duration::from_millis(10 + (trial * 61) % 100));
        child.kill().expect("alive");
        child.wait().expect("dead");
        last = reading.join().expect("reads").or(last);
        reported += last.expect("the child got going") + 1;
        check(&book);
        // The place changes hands with each turn: what was reported is there, and at most one turn more.
        let judges = book.list().expect("readable").into_iter().filter(|model| model.name.as_str() == "caps");
        assert_eq!(judges.filter(|model| model.state == ModelState::Live).count(), 1);
        let turns = book.history(&digest("aa")).expect("readable").len() as u64
            + book.history(&digest("bb")).map_or(0, |history| history.len() as u64);
        assert!(turns + 2 * 8 >= 2 * reported, "{turns} changes of hands for {reported} turns");
    }
}

#[test]
fn records_flow_on_while_another_process_changes_models() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = Ledger::open(folder.path(), LedgerConfig::default()).expect("a ledger");
    let mut child = start(folder.path());
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let (mut sent, mut turns, mut slowest_us) = (0, 0, 0);
    while turns < 30 {
        let mut record = record(&ledger);
        while let Err(Full(back)) = ledger.writer().try_send(record) {
            record = back;
            thread::yield_now();
        }
        sent += 1;
        slowest_us = slowest_us.max(ledger.stats().last_commit_us);
        // And this process changes models of its own at the same time.
        if sent % 20 == 0 {
            let line = lines.next().expect("the child goes on").expect("text");
            turns += u64::from(done(&line).is_some());
            let start = if turns.is_multiple_of(2) { "e0" } else { "e1" };
            ledger.models().put_live(&"other".into(), &pairs(&[("caps", start)]), "here").expect("written");
        }
    }
    child.kill().expect("alive");
    child.wait().expect("dead");
    let (book, reader, stats) = (ledger.models(), ledger.reader(), ledger.stats());
    ledger.close().expect("a good disk");
    assert_eq!(reader.count(&Query::default()).expect("readable"), sent);
    assert_eq!((stats.refused, stats.lost), (0, 0), "{stats:?}");
    check(&book);
    println!("{turns} turns, {sent} records, slowest commit {slowest_us} µs, {} waits", stats.write_errors);
}

#[test]
fn many_hands_at_once_take_turns_and_each_sees_what_the_one_before_did() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = ModelBook::new(folder.path());
    book.register(&draft("ab", "caps"), "ann").expect("written");
    let moved: usize = thread::scope(|scope| {
        let hands: Vec<_> = (0..4)
            .map(|hand| {
                let book = book.clone();
                scope.spawn(move || {
                    let by = format!("hand {hand}");
                    let to = [ModelState::Shadow, ModelState::Draft];
                    let tries = (0..40)
                        .filter(|turn| book.change(&digest("ab"), to[turn % 2], &by, "to and fro").is_ok());
                    tries.count()
                })
            })
            .collect();
        hands.into_iter().map(|hand| hand.join().expect("works")).sum()
    });
    let history = book.history(&digest("ab")).expect("readable");
    assert_eq!(history.len(), moved + 1, "each change that was said to be done is there, and no other");
    check(&book);
}
