// SHA-256 (FIPS 180-4) and HMAC (RFC 2104), for the op beside it.
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
} sha256;

void sha256_begin(sha256 *hash);
void sha256_add(sha256 *hash, const uint8_t *bytes, size_t len);
void sha256_end(sha256 *hash, uint8_t digest[32]);

// Of an HMAC the inner hash; the message is added to it, then hmac_end makes the MAC.
typedef struct {
    sha256 inner, outer;
} hmac;

void hmac_begin(hmac *mac, const uint8_t *key, size_t len);
void hmac_end(hmac *mac, uint8_t digest[32]);

#endif
