// Verifies blobs and attestations as `cosign verify-blob --key` and `cosign verify-blob-attestation --key` do, with cosign's own packages: offline,
// without a transparency log.
//
//	cosign-judge blob KEY SIGNATURE FILE
//	cosign-judge attestation KEY ENVELOPE FILE TYPE
package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	"github.com/sigstore/cosign/v2/pkg/policy"
	"github.com/sigstore/cosign/v2/pkg/types"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

func main() {
	if len(os.Args) < 5 {
		fail(fmt.Errorf("usage: cosign-judge blob KEY SIGNATURE FILE | attestation KEY ENVELOPE FILE TYPE"))
	}
	read := func(at int) []byte {
		bytes, err := os.ReadFile(os.Args[at])
		fail(err)
		return bytes
	}
	pem, signed, blob := read(2), read(3), read(4)
	key, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
	fail(err)
	verifier, err := signature.LoadVerifier(key, crypto.SHA256)
	fail(err)
	options := &cosign.CheckOpts{SigVerifier: verifier, IgnoreTlog: true, IgnoreSCT: true, Offline: true}
	ctx := context.Background()
	switch os.Args[1] {
	case "blob":
		given, err := static.NewSignature(blob, base64.StdEncoding.EncodeToString(signed))
		fail(err)
		_, err = cosign.VerifyBlobSignature(ctx, given, options)
		fail(err)
	case "attestation":
		given, err := static.NewAttestation(signed, static.WithLayerMediaType(types.DssePayloadType))
		fail(err)
		digest := sha256.Sum256(blob)
		options.ClaimVerifier = cosign.IntotoSubjectClaimVerifier
		_, err = cosign.VerifyBlobAttestation(ctx, given, v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(digest[:])}, options)
		fail(err)
		payload, found, err := policy.AttestationToPayloadJSON(ctx, os.Args[5], given)
		fail(err)
		if payload == nil {
			fail(fmt.Errorf("its predicate type is %s", found))
		}
	default:
		fail(fmt.Errorf("%s: blob or attestation", os.Args[1]))
	}
	fmt.Println("Verified OK")
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
