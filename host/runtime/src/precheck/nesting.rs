//! How deep types of components and instances are declared inside one another.
//!
//! The parser and the validator read them by recursion without a bound: three
//! bytes make one level, and some hundred thousand levels overflow the stack,
//! which ends the process. So this is found out first, and without recursion.

use wasmparser::{
    BinaryReader, BinaryReaderError, ComponentType, ComponentTypeDeclaration,
    InstanceTypeDeclaration,
};

/// The bytes with which declarations begin.
const TYPE: u8 = 0x01;
const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;

/// What is being read, and how much of it is left.
struct Scope {
    of: Of,
    left: u32,
}

enum Of {
    Section,
    Component,
    Instance,
}

/// The most levels in a section of types, up to one more than `most`.
pub(super) fn deepest(mut at: BinaryReader<'_>, most: u64) -> Result<u64, BinaryReaderError> {
    let left = at.read_var_u32()?;
    let of = Of::Section;
    let mut open = vec![Scope { of, left }];
    let mut deepest = 0;
    while let Some(scope) = open.last_mut() {
        let Some(left) = scope.left.checked_sub(1) else {
            open.pop();
            continue;
        };
        scope.left = left;
        let mut ahead = at.clone();
        let is_type = matches!(scope.of, Of::Section) || ahead.read_u8()? == TYPE;
        let of = match (is_type, ahead.clone().read_u8()) {
            (true, Ok(COMPONENT_TYPE)) => Of::Component,
            (true, Ok(INSTANCE_TYPE)) => Of::Instance,
            // Nothing that these read has a type in it again.
            _ => {
                match scope.of {
                    Of::Section => drop(at.read::<ComponentType<'_>>()?),
                    Of::Component => drop(at.read::<ComponentTypeDeclaration<'_>>()?),
                    Of::Instance => drop(at.read::<InstanceTypeDeclaration<'_>>()?),
                }
                continue;
            }
        };
        ahead.read_u8()?;
        let left = ahead.read_var_u32()?;
        at = ahead;
        deepest = deepest.max(open.len() as u64);
        if deepest > most {
            break;
        }
        open.push(Scope { of, left });
    }
    Ok(deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A section of one type that declares so many inside one another.
    fn section(levels: usize, kind: u8) -> Vec<u8> {
        let inner = [kind, 1, TYPE].repeat(levels);
        // The innermost is a number.
        [vec![1], inner, vec![0x7d]].concat()
    }

    #[test]
    fn levels_are_counted_without_recursion() {
        for kind in [COMPONENT_TYPE, INSTANCE_TYPE] {
            for levels in [0, 1, 7, 32] {
                let section = section(levels, kind);
                let found = deepest(BinaryReader::new(&section, 0), 1_000).unwrap();
                assert_eq!(found, levels as u64);
            }
            let bomb = section(1_000_000, kind);
            assert_eq!(deepest(BinaryReader::new(&bomb, 0), 32).unwrap(), 33);
        }
    }

    #[test]
    fn types_beside_one_another_are_one_level() {
        // Two instance types: one with a type and an export, one with nothing.
        let export = [0x04, 0, 1, b'f', 0x01, 0];
        let first = [&[INSTANCE_TYPE, 2, TYPE, 0x40, 0, 1, 0][..], &export].concat();
        let section = [vec![2], first, vec![INSTANCE_TYPE, 0]].concat();
        let found = deepest(BinaryReader::new(&section, 0), 32);
        assert_eq!(found.unwrap(), 1);
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let whole = section(3, COMPONENT_TYPE);
        for length in 0..whole.len() {
            assert!(deepest(BinaryReader::new(&whole[..length], 0), 32).is_err());
        }
    }
}
