//! `#[derive(Output)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Fields};

use crate::attribute::{Class, Output};
use crate::manifest::Manifest;

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "an output is a struct with named fields"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new_spanned(input, "an output is a struct with named fields"));
    };
    let manifest = Manifest::find(input.ident.span())?;
    let fields = fields.named.iter().map(|field| write(field, manifest.as_ref()));
    let fields = fields.collect::<syn::Result<Vec<_>>>()?;
    let name = &input.ident;
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics ::txco_op::Output for #name #arguments #conditions {
            fn fields(self, call: &::txco_op::Call) -> ::txco_op::__::Vec<::txco_op::Field> {
                let mut fields = ::txco_op::__::Vec::new();
                #(fields.extend(#fields);)*
                fields
            }
        }
    })
}

/// The code that writes one field, an `Option<Field>`.
fn write(field: &syn::Field, manifest: Option<&Manifest>) -> syn::Result<TokenStream> {
    let Output { path, param, class } = Output::of(field)?;
    if let Some(manifest) = manifest {
        let param = param.as_ref().map(syn::LitStr::value);
        manifest.check_output(&path.value(), param.as_deref(), class.word(), path.span())?;
    }
    let ident = &field.ident;
    let param = match param {
        Some(param) => quote!(::core::option::Option::Some(#param)),
        None => quote!(::core::option::Option::None),
    };
    let place = quote!(::txco_op::__::place(call, #param, #path));
    let span = field.ty.span();
    Ok(match class {
        Class::Credential => quote_spanned!(span=> ::txco_op::__::credential(#place, self.#ident)),
        Class::Digest => {
            quote_spanned!(span=> ::txco_op::__::digest_or_data(#place, ::txco_op::Class::Digest, self.#ident))
        }
        Class::Data => {
            quote_spanned!(span=> ::txco_op::__::digest_or_data(#place, ::txco_op::Class::Data, self.#ident))
        }
    })
}
