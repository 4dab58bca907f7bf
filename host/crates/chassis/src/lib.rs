//! The assembly line: rule, stage, op dispatch, merge, trace.
