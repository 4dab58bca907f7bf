//! `#[op]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{FnArg, ItemFn, Type};

use crate::manifest::{self, Manifest};

const NO_MANIFEST: &str = "no op.toml beside Cargo.toml: an op says there what it is. \
    Begin with a line like: name = \"my-signer\"";

pub(crate) fn expand(arguments: &TokenStream, function: ItemFn) -> syn::Result<TokenStream> {
    let name = function.sig.ident.clone();
    if !arguments.is_empty() {
        return Err(syn::Error::new_spanned(arguments, "#[op] takes no arguments; op.toml says the rest"));
    }
    if function.sig.asyncness.is_some() || !function.sig.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&function.sig, "an op is neither async nor generic"));
    }
    let Manifest { name: op, code, .. } =
        Manifest::find(name.span())?.ok_or_else(|| syn::Error::new(name.span(), NO_MANIFEST))?;
    let inputs = function.sig.inputs.iter().map(argument).collect::<syn::Result<Vec<_>>>()?;
    let documents = function.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let visible = &function.vis;
    let watch = manifest::watch();
    // The op's own function keeps its name and its body, inside the one that a host calls.
    let inner = ItemFn { vis: syn::Visibility::Inherited, ..function.clone() };
    let result = function.sig.output.span();
    let fields = quote_spanned!(result=> ::txco_op::Output::fields(output, call));
    Ok(quote! {
        #(#documents)*
        #visible fn #name(
            call: &::txco_op::Call,
        ) -> ::core::result::Result<::txco_op::__::Vec<::txco_op::Field>, ::txco_op::Failure> {
            #inner
            let whole = || {
                let output = #name(#(#inputs),*)?;
                ::core::result::Result::Ok(#fields)
            };
            ::txco_op::__::run(#op, #code, whole())
        }

        #watch

        // Only a component calls it; elsewhere it is not dead code for all that.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(
            &::txco_op::Call,
        ) -> ::core::result::Result<::txco_op::__::Vec<::txco_op::Field>, ::txco_op::Failure> = #name;

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the component's exports")]
        const _: () = {
            struct Op;

            impl ::txco_op::bindings::Guest for Op {
                fn handle() -> ::core::result::Result<
                    ::txco_op::__::Vec<::txco_op::Field>,
                    ::txco_op::bindings::Failure,
                > {
                    ::txco_op::__::handle(#name)
                }
            }

            ::txco_op::bindings::export!(Op with_types_in ::txco_op::bindings);
        };
    })
}

/// What an argument of the op is given.
fn argument(argument: &FnArg) -> syn::Result<TokenStream> {
    let FnArg::Typed(typed) = argument else {
        return Err(syn::Error::new_spanned(argument, "an op is a function without self"));
    };
    Ok(match &*typed.ty {
        Type::Reference(_) => quote!(call),
        other => quote_spanned!(other.span()=> ::txco_op::Params::read(call)?),
    })
}
