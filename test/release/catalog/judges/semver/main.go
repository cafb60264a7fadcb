// semver-judge CONSTRAINT: reads versions, one a line, and prints the one that Kairos' catalogs take for `name@CONSTRAINT`, as their
// documentation has it: an exact version, else the highest that satisfies the constraint, of equal ones the first. The real library decides.
package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/Masterminds/semver/v3"
)

func main() {
	constraint, err := semver.NewConstraint(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var best *semver.Version
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() == os.Args[1] {
			fmt.Println(lines.Text())
			return
		}
		version, err := semver.NewVersion(lines.Text())
		if err == nil && constraint.Check(version) && (best == nil || version.GreaterThan(best)) {
			best = version
		}
	}
	if best == nil {
		os.Exit(1)
	}
	fmt.Println(best.Original())
}
