// Command verify-proof checks a C2SP tlog-proof by the library of torchwood: verify-proof POLICY PROOF.
//
// The record is the proof's extra data, as `tally receipt --format tlog-proof` writes it. Exits with 1 where it does not hold.
package main

import (
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := verify(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("holds")
}

func verify(policyPath, proofPath string) error {
	text, err := os.ReadFile(policyPath)
	if err != nil {
		return err
	}
	proof, err := os.ReadFile(proofPath)
	if err != nil {
		return err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return err
	}
	record, err := torchwood.ProofExtraData(proof)
	if err != nil {
		return err
	}
	return torchwood.VerifyProof(policy, tlog.RecordHash(record), proof)
}
