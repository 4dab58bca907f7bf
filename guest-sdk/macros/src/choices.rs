//! `#[derive(FromParam)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, Variant};

use crate::attribute::Param;

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "a choice is an enum without fields"));
    };
    let words = data.variants.iter().map(word).collect::<syn::Result<Vec<_>>>()?;
    let accepted = words.join("|");
    let variants = data.variants.iter().map(|variant| &variant.ident);
    let name = &input.ident;
    Ok(quote! {
        impl ::txco_op::FromParam for #name {
            const ACCEPTED: &'static str = #accepted;

            fn from_param(value: ::txco_op::Value) -> ::core::option::Option<Self> {
                match value.as_text() {
                    #(#words => ::core::option::Option::Some(Self::#variants),)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    })
}

/// What rules write for a variant: its name in lower case, words joined by `-`.
fn word(variant: &Variant) -> syn::Result<String> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(syn::Error::new_spanned(variant, "a choice has no fields"));
    }
    let param = Param::of(&variant.attrs)?;
    if param.default.is_some() {
        return Err(syn::Error::new_spanned(variant, "a default belongs to the parameter"));
    }
    Ok(param.name.map_or_else(|| kebab(&variant.ident.to_string()), |name| name.value()))
}

fn kebab(name: &str) -> String {
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.extend(letter.to_lowercase());
    }
    word
}
