package register

import (
	"io"
	"slices"
	"strings"

	"kerb/agent/transparency"
)

// vocabulary is a description in JSON-LD with the terms of the W3C Data Privacy
// Vocabulary 2.3 (w3c/dpv f01a55c): dpv, its extensions for the GDPR and for technology.
// A person must decide whether data are personal, and the monitoring systematic.
type vocabulary struct{}

// Name is dpv.
func (vocabulary) Name() string { return "dpv" }

// File is dpv.jsonld.
func (vocabulary) File() string { return "dpv.jsonld" }

// dpvContext holds the prefixes.
var dpvContext = map[string]string{
	"dpv": "https://w3id.org/dpv#", "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#", "tech": "https://w3id.org/dpv/tech#",
	"rdfs": "http://www.w3.org/2000/01/rdf-schema#", "dct": "http://purl.org/dc/terms/",
}

// node is an object of JSON-LD.
type node map[string]any

func ids(terms ...string) (all []node) {
	for _, t := range terms {
		all = append(all, node{"@id": t})
	}
	return all
}

// Export writes one process for each group.
func (vocabulary) Export(w io.Writer, groups []transparency.Group) ([]Missing, error) {
	return exportEach(w, groups, func(a *asker, g transparency.Group) node {
		r := a.rec
		n := node{
			"@context": dpvContext, "@id": "urn:kerb:policy:" + strings.TrimPrefix(r.Policy.Hash.Value, "sha256:"), "@type": "dpv:Process",
			"dct:title": englishTitle(r), "dct:description": detailedDescription(r, g), "dct:created": stamp(r.At),
			"dpv:hasProcessing":                ids("dpv:Collect", "dpv:Derive", "dpv:Aggregate", "dpv:Store", "dpv:Transmit", "dpv:Erase"),
			"dpv:hasDataSubject":               node{"@type": "dpv:DataSubject", "rdfs:label": "people who pass"},
			"dpv:hasData":                      []node{{"@type": "dpv:CollectedData", "rdfs:label": inputText(r)}, {"@type": "dpv:DerivedData", "rdfs:label": outputText(r)}},
			"dpv:hasStorageCondition":          node{"@type": "dpv:StorageDuration", "rdfs:label": keptSentence(r)},
			"dpv:hasRecipient":                 node{"@type": "dpv:Recipient", "rdfs:label": r.Output.Recipient.Value},
			"dpv:isImplementedUsingTechnology": node{"@type": "tech:Device", "rdfs:label": sensing(r)},
			"dpv:hasTechnicalMeasure":          dpvMeasures(r),
		}
		var risks []node
		for _, text := range warningTexts(r) {
			risks = append(risks, node{"@type": "dpv:Risk", "rdfs:label": text})
		}
		if len(risks) > 0 {
			n["dpv:hasRisk"] = risks
		}
		dpvDeclared(n, a)
		return n
	})
}

// dpvMeasures are the technical measures that are in force.
func dpvMeasures(r *transparency.Record) []node {
	all := []node{{"@type": "dpv:TechnicalMeasure", "rdfs:label": clearingSentence(r)}, {"@type": "dpv:TechnicalMeasure", "rdfs:label": strings.Join(wallLines(r), " ")}}
	if r.Clearing.Method.Value == "noise" {
		all = append(all, ids("dpv:DifferentialPrivacy")...)
	}
	if r.Output.Encrypted.Value {
		all = append(all, ids("dpv:EncryptionInTransfer")...)
	}
	if len(r.Policy.Signers.Value) > 0 {
		all = append(all, ids("dpv:DigitalSignatures")...)
	}
	return all
}

// dpvDeclared adds what only a person can say.
func dpvDeclared(n node, a *asker) {
	r := a.rec
	if name := a.answer("dpv:hasDataController", "controller.name"); name != "" {
		n["dpv:hasDataController"] = node{"@type": "dpv:DataController", "dpv:hasName": name, "dpv:hasContact": r.AnswerOr("controller.contact", transparency.NotProvided)}
	}
	if aim := a.answer("dpv:hasPurpose", "purpose.objective"); aim != "" {
		n["dpv:hasPurpose"] = node{"@type": "dpv:Purpose", "rdfs:label": aim}
	}
	if letter := a.answer("dpv:hasLegalBasis", "law.article"); letter != "" {
		n["dpv:hasLegalBasis"] = ids("eu-gdpr:A6-1-" + letter)
	}
	if notice := a.answer("dpv:hasNotice", "notice.privacy_url"); notice != "" {
		n["dpv:hasNotice"] = node{"@id": notice, "@type": "dpv:PrivacyNotice"}
	}
	names := a.answers("dpv:hasRiskAssessment", "assessment.names")
	if slices.ContainsFunc(names, func(s string) bool { return strings.Contains(s, "DPIA") }) {
		n["dpv:hasRiskAssessment"] = ids("dpv:DPIA")
	}
}
