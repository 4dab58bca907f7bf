//! The macros of `txco-op`, which documents them.
//!
//! They read the `op.toml` beside the `Cargo.toml` of the crate they are used in, so that a
//! name in the code that the manifest does not have is a compile error.
//!
//! Tests: `txco-op`'s own, and the compile errors in the documentation of [`op`].

mod manifest;
mod attribute;
mod params;
mod choices;
mod output;
mod op;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemFn, parse_macro_input};

/// Makes a function the op: its parameters are read, its fields written, and for WebAssembly
/// it is the component's `handle`.
///
/// The function takes `&Call`, structs that derive `Params`, both or none, in any order, and
/// returns `Result<T, Failure>` for a `T` that derives `Output` (or a `Vec<Field>`). What
/// stands there afterwards is the whole op, `fn(&Call) -> Result<Vec<Field>, Failure>`: that
/// is what a test runs.
///
/// Beside `Cargo.toml` there must be an `op.toml`; its name begins every failure's message,
/// and its first failure code is that of failures without one.
///
/// ```
/// use txco_op::prelude::*;
///
/// #[op]
/// fn now(call: &Call) -> Result<Field, Failure> {
///     Ok(Field::data("@computed.mac", call.now_seconds().to_string()))
/// }
///
/// assert_eq!(FakeHost::new().run(now).unwrap(), [Field::data("@computed.mac", "1700000000")]);
/// ```
/// ```compile_fail
/// use txco_op::prelude::*;
///
/// #[derive(Params)]
/// struct Params {
///     inputpath: String, // not in op.toml: the compiler says what to add there
/// }
/// ```
/// ```compile_fail
/// use txco_op::prelude::*;
///
/// #[derive(Output)]
/// struct Signed {
///     #[output(path = "@computed.mac", class = data)] // op.toml says digest
///     mac: String,
/// }
/// ```
#[proc_macro_attribute]
pub fn op(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let function = parse_macro_input!(function as ItemFn);
    op::expand(&arguments.into(), function).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Reads a struct from the parameters of the rule; see the trait of the same name.
#[proc_macro_derive(Params, attributes(param))]
pub fn params(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    params::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an enum without fields a parameter's type; see the trait of the same name.
#[proc_macro_derive(FromParam, attributes(param))]
pub fn from_param(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    choices::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct the op's output; see the trait of the same name.
#[proc_macro_derive(Output, attributes(output))]
pub fn output(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    output::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
