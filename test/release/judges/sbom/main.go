// Reads a bill of materials with the libraries that vulnerability scanners (syft, grype, trivy) read them with, and prints one line for each
// package that has an address: the address as the library understands it, the package's name and its version, tabs between.
//
//	sbom-judge FILE.cdx.json | FILE.spdx.json
package main

import (
	"fmt"
	"os"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/anchore/packageurl-go"
	spdx "github.com/spdx/tools-golang/json"
)

func main() {
	name := os.Args[1]
	file, err := os.Open(name)
	fail(err)
	defer file.Close()
	if strings.HasSuffix(name, ".spdx.json") {
		document, err := spdx.Read(file)
		fail(err)
		for _, one := range document.Packages {
			for _, reference := range one.PackageExternalReferences {
				if reference.RefType == "purl" {
					show(reference.Locator, one.PackageName, one.PackageVersion)
				}
			}
		}
		return
	}
	bom := new(cyclonedx.BOM)
	fail(cyclonedx.NewBOMDecoder(file, cyclonedx.BOMFileFormatJSON).Decode(bom))
	for _, one := range *bom.Components {
		if one.PackageURL != "" {
			show(one.PackageURL, one.Name, one.Version)
		}
	}
}

func show(address, name, version string) {
	purl, err := packageurl.FromString(address)
	fail(err)
	fmt.Printf("%s\t%s\t%s\n", purl.ToString(), name, version)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
