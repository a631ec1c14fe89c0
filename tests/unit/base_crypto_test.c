/* SPDX-License-Identifier: BSD-2-Clause */
/* base/crypto: digests, chance, and signatures of others. */
#include <string.h>

#include "base/crypto.h"
#include "unit.h"

static void expect_digest(const uint8_t *digest, const char *want)
{
    static const char hex[] = "0123456789abcdef";
    char got[2 * CRYPTO_SHA256_BYTES + 1] = "";

    for (size_t i = 0; i < CRYPTO_SHA256_BYTES; i++) {
        got[2 * i] = hex[digest[i] >> 4];
        got[2 * i + 1] = hex[digest[i] & 15];
    }
    ck_assert_str_eq(got, want);
}

START_TEST(digests_match_the_published_vectors)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    char key[131];

    /* RFC 4231, cases 2 and 6, and everything empty. */
    crypto_hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), digest);
    expect_digest(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    crypto_hmac_sha256((struct slice){ key, sizeof key },
                       SLICE("Test Using Larger Than Block-Size Key - Hash Key First"), digest);
    expect_digest(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    crypto_hmac_sha256(SLICE_EMPTY, SLICE_EMPTY, digest);
    expect_digest(digest, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}
END_TEST

START_TEST(a_digest_of_runs_is_that_of_the_whole)
{
    /* The vectors of FIPS 180-4 for "abc", for nothing and for two blocks. */
    static const struct {
        struct slice input;
        const char *want;
    } cases[] = {
        { BYTES("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { BYTES(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { BYTES("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    };
    struct crypto_sha256 *sha256 = crypto_sha256_new();
    uint8_t digest[CRYPTO_SHA256_BYTES];

    for (size_t i = 0; i < COUNT(cases); i++) {
        crypto_sha256(cases[i].input, digest);
        expect_digest(digest, cases[i].want);
        for (size_t cut = 0; cut <= cases[i].input.length; cut++) {
            crypto_sha256_add(sha256, slice_until(cases[i].input, cut));
            crypto_sha256_add(sha256, slice_from_offset(cases[i].input, cut));
            crypto_sha256_take(sha256, digest);
            expect_digest(digest, cases[i].want);
        }
    }
    crypto_sha256_free(&sha256);
    ck_assert_ptr_null(sha256);
    crypto_sha256_free(&sha256);
}
END_TEST

/* The bytes of hexadecimal digits. */
static struct slice from_hex(const char *hex, char *bytes)
{
    size_t length = strlen(hex) / 2;

    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(ascii_hex_value(hex[2 * i]) << 4 | ascii_hex_value(hex[2 * i + 1]));
    return (struct slice){ bytes, length };
}

START_TEST(a_hash_goes_on_behind_its_copy)
{
    struct crypto_sha256 *sha256 = crypto_sha256_new();
    struct crypto_sha256 *copy;
    uint8_t digest[CRYPTO_SHA256_BYTES];

    crypto_sha256_add(sha256, SLICE("a"));
    copy = crypto_sha256_copy(sha256);
    crypto_sha256_add(copy, SLICE("bc"));
    crypto_sha256_take(copy, digest);
    expect_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256_free(&copy);
    crypto_sha256_add(sha256, SLICE("bc"));
    crypto_sha256_take(sha256, digest);
    expect_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256_free(&sha256);
}
END_TEST

/* Of "abc", by `openssl dgst -sha256 -sign`. */
static const char rsa_modulus[] =
        "b5155fff243e8f9aad8a5d222df249206b51ee75415a43a356fe96a56f83f2bb"
        "a3008e395fff92dfde6ccc3d20143566a75b067390a3c5a3768da533935f940d"
        "03e14827735ea2fec075877a68cae1c309bec388b3701712c3613c619793cd30"
        "ee3a8143d79fa83c4b2d29dcc275142b7fe51ff21c91f6a9f0d769bab713c2b3";
static const char rsa_signature[] =
        "4b3df717f339a066e78191f04b1602c6526501dc3cf01e54eeeb0a1555ef1967"
        "841d24245c460d7bbaf54e386679aed59488f9e23e49dcd93b34d9e17d28035a"
        "183bb1444ef35564e07c090818dc591350fba68d0517c789e133d62a970d918d"
        "338ee74c19667a2ff4d05df1e1ecb13b27602e2dce3f338c22c85918c00d846a";

START_TEST(rsa_signatures_of_others_are_verified)
{
    char modulus_bytes[CRYPTO_MAX_RSA_BYTES + 1] = "";
    char signature_bytes[CRYPTO_MAX_RSA_BYTES] = "";
    struct slice modulus = from_hex(rsa_modulus, modulus_bytes);
    struct slice signature = from_hex(rsa_signature, signature_bytes);
    struct slice exponent = SLICE("\x01\x00\x01");
    uint8_t digest[CRYPTO_SHA256_BYTES];

    crypto_sha256(SLICE("abc"), digest);
    ck_assert(crypto_rsa_verifies(modulus, exponent, digest, signature));
    ck_assert(!crypto_rsa_verifies(modulus, SLICE("\x03"), digest, signature));
    ck_assert(!crypto_rsa_verifies(modulus, SLICE_EMPTY, digest, signature));
    ck_assert(!crypto_rsa_verifies(SLICE_EMPTY, exponent, digest, signature));
    ck_assert(!crypto_rsa_verifies(SLICE("\x03"), exponent, digest, signature));
    ck_assert(!crypto_rsa_verifies((struct slice){ modulus_bytes, sizeof modulus_bytes }, exponent,
                                   digest, signature));
    ck_assert(!crypto_rsa_verifies(modulus, exponent, digest, SLICE_EMPTY));
    ck_assert(!crypto_rsa_verifies(modulus, exponent, digest, slice_until(signature, 127)));
    signature_bytes[64] ^= 1;
    ck_assert(!crypto_rsa_verifies(modulus, exponent, digest, signature));
    signature_bytes[64] ^= 1;
    digest[0] ^= 1;
    ck_assert(!crypto_rsa_verifies(modulus, exponent, digest, signature));
}
END_TEST

START_TEST(ed25519_signatures_of_others_are_verified)
{
    /* RFC 8032 7.1, tests 1 and 2. */
    static const struct {
        const char *key, *signature;
        struct slice message;
    } cases[] = {
        { "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
          "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b", BYTES("") },
        { "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00", BYTES("\x72") },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char key_bytes[CRYPTO_ED25519_KEY_BYTES];
        char signature_bytes[64];
        struct slice key = from_hex(cases[i].key, key_bytes);
        struct slice signature = from_hex(cases[i].signature, signature_bytes);
        const uint8_t *bytes = (const uint8_t *)key.data;

        ck_assert(crypto_ed25519_verifies(bytes, cases[i].message, signature));
        ck_assert(!crypto_ed25519_verifies(bytes, SLICE("other"), signature));
        ck_assert(!crypto_ed25519_verifies(bytes, cases[i].message, slice_until(signature, 63)));
        ck_assert(!crypto_ed25519_verifies(bytes, cases[i].message, SLICE_EMPTY));
    }
}
END_TEST

START_TEST(crypto_random_fills_all_of_any_size)
{
    uint8_t bytes[1001] = { 0 };
    uint8_t ever_set[1000] = { 0 };

    for (int round = 0; round < 40; round++) {
        crypto_random(bytes, 1000);
        for (size_t i = 0; i < 1000; i++)
            ever_set[i] |= bytes[i];
    }
    for (size_t i = 0; i < 1000; i++)
        ck_assert_msg(ever_set[i] != 0, "byte %zu was zero 40 times", i);
    ck_assert_uint_eq(bytes[1000], 0);
    crypto_random(bytes, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base: crypto");
    TCase *crypto = tcase_create("crypto");

    tcase_add_test(crypto, digests_match_the_published_vectors);
    tcase_add_test(crypto, a_digest_of_runs_is_that_of_the_whole);
    tcase_add_test(crypto, a_hash_goes_on_behind_its_copy);
    tcase_add_test(crypto, rsa_signatures_of_others_are_verified);
    tcase_add_test(crypto, ed25519_signatures_of_others_are_verified);
    tcase_add_test(crypto, crypto_random_fills_all_of_any_size);
    suite_add_tcase(suite, crypto);
    return unit_run(suite);
}
