//! Policies that are not what they seem.

use std::fs;

use hotcell_broker::policy::TENANT;

use super::{Folder, HOST, POLICY, WORKFLOW};

/// What is told about a policy of these bytes.
fn told(policy: impl AsRef<[u8]>) -> Vec<String> {
    let folder = Folder::new(WORKFLOW, HOST, POLICY);
    fs::write(folder.path("policy.toml"), policy).unwrap();
    match folder.check() {
        Ok(_) => Vec::new(),
        Err(problems) => folder.lines(&problems),
    }
}

#[test]
fn what_reads_otherwise_than_it_looks_is_refused() {
    let table: [(&[u8], &str); 12] = [
        (
            b"\xef\xbb\xbf[plugin.reader]\n",
            "`policy.toml` begins with a byte order mark",
        ),
        (
            b"[plugin.reader]\nllm = [\"\xff\"]\n",
            "cannot read `policy.toml`: it is not UTF-8 at byte 24",
        ),
        (
            "# \u{202e}x\n[plugin.reader]\n".as_bytes(),
            "line 1 that cannot be seen: U+202E",
        ),
        (
            "[plugin.reader]\nllm = [\"a\u{200b}\"]\n".as_bytes(),
            "line 2 that cannot be seen: U+200B",
        ),
        (
            b"[plugin.reader]\n[plugin.reader]\n",
            "`policy.toml` is not valid TOML (duplicate key",
        ),
        (
            b"[plugin.reader]\nllm = [\"a\"]\nllm = [\"b\"]\n",
            "`policy.toml` is not valid TOML (duplicate key",
        ),
        (
            b"[plugin]\nreader = {llm = [], llm = []}\n",
            "`policy.toml` is not valid TOML (duplicate key",
        ),
        (
            b"[plugin.reader]\nllm = [\"*\"]\n",
            "`*` is no name: there are no wildcards",
        ),
        (
            b"[plugin.\"*\"]\nllm = [\"default\"]\n",
            "`*` is no name: there are no wildcards",
        ),
        (
            b"[plugin.reader]\nhttp = [{ origin = \"https://*.x.test\" }]\n",
            "`https://*.x.test` is no name: there are no wildcards",
        ),
        (
            b"[plugin.reader]\nfiles = [{ path = \"granted\", at = \"/da*\" }]\n",
            "`/da*` is no name: there are no wildcards",
        ),
        (
            b"tenant = \"*\"\n",
            "`*` is no name: there are no wildcards",
        ),
    ];
    for (policy, expected) in table {
        let told = told(policy);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(expected), "{told:?}");
    }
    assert!(told(format!("# one * and more\n{POLICY}")).is_empty());
}

#[test]
fn a_policy_of_a_mebibyte_and_of_deep_nesting_is_refused() {
    let huge = format!("{POLICY}{}", "# more\n".repeat(200_000));
    assert!(told(huge)[0].starts_with("`policy.toml` has 1400"));
    let deep = format!("x = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert!(told(deep)[0].contains("is not valid TOML"));
    let keys = format!("[{}]\n", ["a"; 50_000].join("."));
    assert_eq!(told(keys).len(), 1);
}

#[test]
fn the_digest_is_of_the_bytes_that_were_read() {
    let folder = Folder::new(WORKFLOW, HOST, POLICY);
    let before = folder.check().unwrap().policy.policy.digest;
    fs::write(folder.path("policy.toml"), format!("{POLICY}\n")).unwrap();
    let after = folder.check().unwrap().policy.policy.digest;
    assert!(before.starts_with("sha256:") && before.len() == 71);
    assert_ne!(before, after);
    fs::remove_file(folder.path("policy.toml")).unwrap();
    let none = folder.check().unwrap().policy.policy;
    assert_eq!((none.digest.as_str(), none.tenant()), ("", TENANT));
}

#[cfg(unix)]
#[test]
fn a_policy_is_a_file_and_not_a_link_a_folder_or_a_pipe() {
    let folder = Folder::new(WORKFLOW, HOST, POLICY);
    let path = folder.path("policy.toml");
    let told = |folder: &Folder| folder.lines(&folder.check().unwrap_err());
    fs::rename(&path, folder.path("other.toml")).unwrap();
    std::os::unix::fs::symlink("other.toml", &path).unwrap();
    let expected =
        "cannot read `policy.toml`: it is a symbolic link () name the file that the link leads to";
    assert_eq!(told(&folder), [expected]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(told(&folder)[0].contains("irectory"), "{:?}", told(&folder));
    fs::remove_dir(&path).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    let expected = "cannot read `policy.toml`: it is neither a file nor a folder ()";
    assert_eq!(told(&folder), [expected]);
}

#[test]
fn grants_are_for_one_component_where_the_policy_names_one() {
    let component = b"the bytes of a component";
    let digest = hotcell_broker::store::Digest::of(component);
    let other = hotcell_broker::store::Digest::of(b"others");
    let policy = format!(
        "[plugin.reader]\ndigest = [\"{digest}\", \"{other}\"]\n[plugin.checker]\nllm = []\n"
    );
    let folder = Folder::new(WORKFLOW, HOST, &policy);
    let file = folder.check().unwrap().policy;
    assert!(file.is_for("reader", digest).is_ok());
    assert!(file.is_for("reader", other).is_ok());
    let changed = hotcell_broker::store::Digest::of(b"the bytes of a component ");
    let told = folder.line(&file.is_for("reader", changed).unwrap_err());
    let expected = format!(
        "policy.toml:2:11 the plugin `reader` is not the one that the policy is for (this one is {changed}) \
         find out who changed it; if it may have these grants, write its digest here"
    );
    assert_eq!(told, expected);
    assert!(file.is_for("checker", changed).is_ok());
}
