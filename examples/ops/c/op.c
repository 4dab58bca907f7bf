// Signs the body with a key that it is shown: `Authorization: HMAC key-id:mac`.
#include <stdlib.h>
#include <string.h>

#include "contract.h"
#include "sha256.h"

// What is returned is freed by the bindings, so it is allocated; nothing else need be freed:
// one call is the op's whole life, and its memory is wiped when it returns.
static bool fail(const char *message, contract_failure_t *err) {
    contract_string_dup(&err->code, "c-signer-err");
    contract_string_dup(&err->message, message);
    return false;
}

bool exports_contract_handle(contract_list_field_t *ret, contract_failure_t *err) {
    contract_string_t name, path, slot;
    contract_string_set(&name, "key_id");
    contract_string_set(&path, "body");
    contract_string_set(&slot, "key");

    txco_op_call_value_t key_id;
    if (!txco_op_call_param(&name, &key_id) || key_id.tag != TXCO_OP_TYPES_VALUE_TEXT)
        return fail("key_id is missing in WITH", err);
    txco_op_call_own_blob_t body;
    if (!txco_op_call_bytes(&path, &body)) return fail("there is no body to sign", err);

    // The key is copied into this op's own memory, which is wiped when the call ends.
    contract_list_u8_t key;
    txco_op_secrets_secret_error_t why;
    if (!txco_op_secrets_reveal(&slot, 0, &key, &why)) return fail("no key to sign with", err);

    hmac mac;
    hmac_begin(&mac, key.ptr, key.len);
    // Piece by piece: the body may be larger than this op's memory.
    uint64_t len = txco_op_call_method_blob_len(txco_op_call_borrow_blob(body));
    for (uint64_t at = 0; at < len;) {
        contract_list_u8_t piece;
        txco_op_call_method_blob_read(txco_op_call_borrow_blob(body), at, 16384, &piece);
        sha256_add(&mac.inner, piece.ptr, piece.len);
        at += piece.len;
        contract_list_u8_free(&piece);
    }
    uint8_t digest[32];
    hmac_end(&mac, digest);

    char *text = malloc(5 + key_id.val.text.len + 1 + 64 + 1);
    txco_op_types_field_t *field = malloc(sizeof *field);
    if (!text || !field) return fail("no memory", err);
    memcpy(text, "HMAC ", 5);
    memcpy(text + 5, key_id.val.text.ptr, key_id.val.text.len);
    char *to = text + 5 + key_id.val.text.len;
    *to++ = ':';
    for (int i = 0; i < 32; i++) {
        *to++ = "0123456789abcdef"[digest[i] >> 4];
        *to++ = "0123456789abcdef"[digest[i] & 15];
    }
    *to = '\0';
    contract_string_dup(&field->path, "@computed.authorization");
    field->class_ = TXCO_OP_TYPES_CLASS_CREDENTIAL;
    field->value.tag = TXCO_OP_TYPES_VALUE_TEXT;
    contract_string_set(&field->value.val.text, text);
    ret->ptr = field;
    ret->len = 1;
    return true;
}
