//! `docs/audit.md` has every event that the daemon tells, with its fields, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Events and their fields.
type Events = BTreeMap<String, BTreeSet<String>>;

fn top() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// What the document says.
fn documented(text: &str) -> Events {
    let (_, table) = text.split_once("| event | fields | means |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let mut events = Events::new();
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').splitn(3, '|').map(str::trim).collect();
        let [name, fields, means] = cells[..] else { panic!("{row}") };
        assert!(!means.is_empty(), "{row}");
        let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(Into::into).collect::<Vec<String>>();
        let fields = quoted(fields).into_iter().collect();
        assert!(events.insert(quoted(name).remove(0), fields).is_none(), "{name} stands twice");
    }
    events
}

/// What a program's text tells at the levels that are for others.
fn told(text: &str, events: &mut Events) {
    for level in ["error", "warn", "info"] {
        for call in text.split(&format!("tracing::{level}!(")).skip(1) {
            let arguments = arguments(call);
            let event = arguments.iter().find_map(|one| one.strip_prefix("event = "));
            let event = event.unwrap_or_else(|| panic!("an event without a name: {arguments:?}"));
            let name = event.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
            let name = name.unwrap_or_else(|| panic!("a name that is not written out: {event}"));
            let is_field =
                |one: &&String| !one.starts_with("event = ") && !one.starts_with('"') && !one.is_empty();
            let field = |one: &String| {
                let one = one.trim_start_matches(['%', '?']);
                one.split([' ', '=']).next().unwrap().to_owned()
            };
            let fields = arguments.iter().filter(is_field).map(field);
            events.entry(name.to_owned()).or_default().extend(fields);
        }
    }
}

/// The arguments of a call, up to its end.
fn arguments(call: &str) -> Vec<String> {
    let (mut all, mut one, mut depth, mut in_text, mut escaped) =
        (Vec::new(), String::new(), 0, false, false);
    for character in call.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '(' | '[' | '{' if !in_text => depth += 1,
            ')' if !in_text && depth == 0 => break,
            ')' | ']' | '}' if !in_text => depth -= 1,
            ',' if !in_text && depth == 0 => {
                all.push(one.trim().to_owned());
                one.clear();
                continue;
            }
            _ => {}
        }
        one.push(character);
    }
    all.push(one.trim().to_owned());
    all
}

fn told_below(directory: &Path, events: &mut Events) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            told_below(&path, events);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            told(&fs::read_to_string(&path).unwrap(), events);
        }
    }
}

#[test]
fn every_event_is_documented_with_its_fields_and_no_other() {
    let text = fs::read_to_string(top().join("docs/audit.md")).unwrap();
    let mut events = Events::new();
    told_below(&top().join("server/src"), &mut events);
    assert!(events.len() > 50, "only {} events", events.len());
    let documented = documented(&text);
    for (name, fields) in &events {
        assert_eq!(documented.get(name), Some(fields), "{name}");
    }
    let unknown: Vec<_> = documented.keys().filter(|name| !events.contains_key(*name)).collect();
    assert_eq!(unknown, [""; 0], "no such events are told");
}

#[test]
fn fields_are_found_however_they_are_written() {
    let mut events = Events::new();
    told(
        r#"tracing::info!(event = "one", %a, ?b, c, d = %e.f(g, "h, i"), "j, {k}"); tracing::debug!(event = "two");
           tracing::warn!(
               event = "one",
               l = m(n).o(),
               "p (",
           );"#,
        &mut events,
    );
    let fields = ["a", "b", "c", "d", "l"].map(Into::into).into();
    assert_eq!(events, Events::from([("one".into(), fields)]));
}
