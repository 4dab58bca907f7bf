//! How much a component may ask of the compiler: some shapes cost minutes and gigabytes to compile.

use wasmparser::{BinaryReaderError, FunctionBody, Operator, Payload};

/// What is counted, and how much of it a component may have. Of interpreters, JavaScript's has the most
/// segments (10,000), Python's the longest function (417 KiB) and the deepest blocks (781).
const BOUNDS: [(&str, u64); 5] = [
    ("functions", 50_000),
    ("segments of data", 20_000),
    ("segments of table elements", 1_000),
    ("bytes in one function", 512 << 10),
    ("blocks, one in the other,", 2_000),
];

/// What was counted, in the order of the bounds.
#[derive(Default)]
pub(crate) struct Shape([u64; BOUNDS.len()]);

impl Shape {
    /// Counts what a part of the component adds.
    pub(crate) fn count(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        let [functions, data, elements, longest, deepest] = &mut self.0;
        #[expect(clippy::wildcard_enum_match_arm, reason = "no other part is compiled")]
        match payload {
            Payload::FunctionSection(section) => *functions += u64::from(section.count()),
            Payload::DataSection(section) => *data += u64::from(section.count()),
            Payload::ElementSection(section) => *elements += u64::from(section.count()),
            Payload::CodeSectionEntry(body) => {
                *longest = (*longest).max(body.range().len() as u64);
                *deepest = (*deepest).max(depth(body)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// The first thing that there is too much of.
    pub(crate) fn excess(&self) -> Option<String> {
        let mut counted = BOUNDS.iter().zip(self.0);
        let ((what, most), has) = counted.find(|((_, most), has)| has > most)?;
        Some(format!("it has {has} {what} and may have {most}: it would take too long to compile"))
    }
}

/// How many blocks a function has in each other.
fn depth(body: &FunctionBody<'_>) -> Result<u64, BinaryReaderError> {
    let (mut depth, mut deepest) = (0_u64, 0);
    for operator in body.get_operators_reader()? {
        #[expect(clippy::wildcard_enum_match_arm, reason = "no other instruction opens or ends a block")]
        match operator? {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            // The last one ends the function.
            Operator::End => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(deepest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::Parser;

    fn of(module: &[u8]) -> Shape {
        let mut shape = Shape::default();
        for payload in Parser::new(0).parse_all(module) {
            shape.count(&payload.unwrap()).unwrap();
        }
        shape
    }

    /// A module of one function with these instructions.
    fn function(instructions: &[u8]) -> Vec<u8> {
        use wasm_encoder::{CodeSection, Function, FunctionSection, Module, TypeSection};
        let (mut types, mut functions, mut code, mut module) =
            (TypeSection::new(), FunctionSection::new(), CodeSection::new(), Module::new());
        types.ty().function([], []);
        functions.function(0);
        let mut body = Function::new([]);
        body.raw(instructions.iter().copied());
        code.function(&body);
        module.section(&types).section(&functions).section(&code);
        module.finish()
    }

    #[test]
    fn blocks_are_counted_as_deep_as_they_go() {
        let nested = |times: usize| [[0x02, 0x40].repeat(times), vec![0x0b; times]].concat();
        let in_each_other = |times: usize| of(&function(&[nested(times), vec![0x0b]].concat()));
        assert_eq!((in_each_other(2_000).excess(), in_each_other(2_000).0[0]), (None, 1));
        let said = in_each_other(2_001).excess().unwrap();
        assert!(said.starts_with("it has 2001 blocks, one in the other, and may have 2000"), "{said}");
        let beside = [nested(1_500), nested(1_500), vec![0x0b]].concat();
        assert_eq!((of(&function(&beside)).excess(), of(&function(&beside)).0[4]), (None, 1_500));
    }

    #[test]
    fn a_function_is_no_longer_than_that() {
        let long = |bytes: usize| of(&function(&[vec![0x01; bytes], vec![0x0b]].concat()));
        // With its locals, of which there are none, and its end.
        let most = (512 << 10) - 2;
        assert_eq!(long(most).excess(), None);
        assert!(long(most + 1).excess().unwrap().contains("bytes in one function"));
    }
}
