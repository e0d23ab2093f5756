//! Who types: the operating system's user. Hotcell has no accounts of its own.

use rustix::process::getuid;

/// The user of this process, such as `maria` or, when nobody knows a name, `uid
/// 1000`. The environment is not asked: it says what somebody wrote there.
pub(crate) fn operator() -> String {
    let uid = getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name(&users, uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

/// The name of a user in the system's list: `name:password:uid:…`.
fn name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let own: u32 = fields.nth(1)?.parse().ok()?;
        (own == uid && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_user_has_the_name_of_the_systems_list() {
        let users = "root:x:0:0::/root:/bin/sh\n\nbroken\nmaria:x:1000:1000::/home/maria:\n";
        let table = [(0, Some("root")), (1000, Some("maria")), (7, None)];
        for (uid, expected) in table {
            assert_eq!(name(users, uid), expected);
        }
    }
}
