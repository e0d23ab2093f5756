use super::*;
use crate::manifest::policy::PolicyFile;

/// The policy of this text.
fn policy(text: &str) -> PolicyFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, text).unwrap();
    PolicyFile::alone(&path)
        .unwrap_or_else(|problems| panic!("{:?}", miette::Report::new(problems)))
}

const HTTP: &str = "http = [{ origin = \"https://x.test\" }]";
const FILES: &str = "files = [{ path = \"f\", at = \"/data\" }]";
const TOOLS: &str = "[tool.mail]\nis = [\"sends\"]\n[tool.web]\nis = [\"untrusted\"]\n\
                     [tool.crm]\nis = [\"private\"]\n[tool.all]\nis = [\"private\", \"untrusted\", \"sends\"]\n";

#[test]
fn all_three_together_are_found_and_two_are_not() {
    let table = [
        ("", false),
        (HTTP, false),
        (FILES, false),
        (
            "files = [{ path = \"f\", at = \"/data\" }]\nhttp = [{ origin = \"https://x.test\" }]",
            true,
        ),
        (
            "files = [{ path = \"f\", at = \"/data\" }]\ntools = [\"web\"]",
            false,
        ),
        (
            "files = [{ path = \"f\", at = \"/data\" }]\ntools = [\"mail\"]",
            false,
        ),
        (
            "files = [{ path = \"f\", at = \"/data\" }]\ntools = [\"mail\", \"web\"]",
            true,
        ),
        ("tools = [\"crm\", \"mail\"]", false),
        ("tools = [\"crm\", \"web\"]", false),
        ("tools = [\"crm\", \"web\", \"mail\"]", true),
        ("tools = [\"all\"]", true),
        ("tools = [\"unknown\"]\nllm = [\"default\"]", false),
        (
            "tools = [\"crm\"]\nhttp = [{ origin = \"https://x.test\" }]",
            true,
        ),
    ];
    for (grants, expected) in table {
        let file = policy(&format!(
            "{TOOLS}[plugin.a]\n{grants}\n[plugin.b]\n{HTTP}\n"
        ));
        let found = lethal(&file.lines, &file.tools);
        assert_eq!(found.contains_key("a"), expected, "{grants}");
        assert!(!found.contains_key("b"), "{grants}");
        assert_eq!(warnings(&file).len(), usize::from(expected), "{grants}");
    }
}

#[test]
fn a_reason_silences_it_and_a_needless_reason_is_told() {
    let both =
        "files = [{ path = \"f\", at = \"/data\" }]\nhttp = [{ origin = \"https://x.test\" }]";
    let text = |grants: &str| {
        format!("[plugin.a]\nallow_trifecta = \"it is *read* by a person\"\n{grants}\n")
    };
    assert!(warnings(&policy(&text(both))).is_empty());
    let told = warnings(&policy(&text(HTTP)));
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].to_string(),
        "`allow_trifecta` of `a` allows nothing"
    );
}

#[test]
fn the_three_lines_are_named() {
    let file = policy(
        "[plugin.a]\nhttp = [{ origin = \"https://x.test\" }]\ntools = [\"crm\"]\n[tool.crm]\nis = [\"private\"]\n",
    );
    let found = lethal(&file.lines, &file.tools);
    let lines = found["a"].map(|line| line.spot.line_and_column().0);
    assert_eq!(lines, [3, 2, 2]);
}
