//! `#[derive(Params)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Expr, Fields, Lit, Type};

use crate::attribute::{Fallback, Param};
use crate::manifest::Manifest;

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "parameters are a struct with named fields"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new_spanned(input, "parameters are a struct with named fields"));
    };
    let manifest = Manifest::find(input.ident.span())?;
    let fields = fields.named.iter().map(|field| read(field, manifest.as_ref()));
    let fields = fields.collect::<syn::Result<Vec<_>>>()?;
    let name = &input.ident;
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics ::txco_op::Params for #name #arguments #conditions {
            fn read(call: &::txco_op::Call) -> ::core::result::Result<Self, ::txco_op::Failure> {
                ::core::result::Result::Ok(Self { #(#fields),* })
            }
        }
    })
}

/// The code that reads one field.
fn read(field: &syn::Field, manifest: Option<&Manifest>) -> syn::Result<TokenStream> {
    let ident = field.ident.as_ref().ok_or_else(|| syn::Error::new_spanned(field, "expected a name"))?;
    let param = Param::of(&field.attrs)?;
    let (name, at) = match &param.name {
        Some(name) => (name.value(), name.span()),
        None => (ident.unraw().to_string(), ident.span()),
    };
    if let Some(manifest) = manifest {
        manifest.check_param(&name, at)?;
    }
    let span = field.ty.span();
    let value = match &param.default {
        None if is_option(&field.ty) => quote_spanned!(span=> ::txco_op::__::optional(call, #name)?),
        None => quote_spanned!(span=> ::txco_op::__::required(call, #name)?),
        Some(Fallback::Own) => {
            quote_spanned!(span=> ::core::option::Option::unwrap_or_default(::txco_op::__::optional(call, #name)?))
        }
        Some(Fallback::This(value)) => {
            let value = written(value);
            quote_spanned!(span=> match ::txco_op::__::optional(call, #name)? {
                ::core::option::Option::Some(value) => value,
                ::core::option::Option::None => #value,
            })
        }
    };
    Ok(quote!(#ident: #value))
}

/// A default as Rust needs it: texts are written as literals.
fn written(value: &Expr) -> TokenStream {
    match value {
        Expr::Lit(literal) if matches!(literal.lit, Lit::Str(_)) => {
            quote!(::core::convert::From::from(#literal))
        }
        other => quote!(#other),
    }
}

fn is_option(kind: &Type) -> bool {
    let Type::Path(path) = kind else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Option")
}
