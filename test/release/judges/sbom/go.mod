module sbom-judge

go 1.25.0

require (
	github.com/CycloneDX/cyclonedx-go v0.12.0
	github.com/anchore/packageurl-go v0.2.0
	github.com/spdx/tools-golang v0.6.0-rc4
)

require (
	github.com/anchore/go-struct-converter v0.2.0-rc2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/piprate/json-gold v0.7.0 // indirect
	github.com/pquerna/cachecontrol v0.0.0-20180517163645-1555304b9b35 // indirect
)
