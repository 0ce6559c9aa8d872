package transparency

// dutchThemes are the policy areas of the Dutch Algoritmeregister, delivery API 1.0,
// field category (MinBZK/Algoritmeregister, schemas/config/v1_0.json).
func dutchThemes() []string {
	return []string{
		"Organisatie en bedrijfsvoering", "Cultuur en recreatie", "Economie", "Overheidsfinanciën", "Wonen", "Internationaal",
		"Migratie en integratie", "Natuur en milieu", "Onderwijs en wetenschap", "Openbare orde en veiligheid", "Recht",
		"Ruimte en infrastructuur", "Sociale zekerheid", "Verkeer", "Werk", "Zorg en gezondheid",
	}
}

// The ids of DTPR v1 (Helpful-Places/dtpr 156971b, CC BY 4.0) that a person chooses.
// The category stands before the two underscores.
func dtprPurposes() []string {
	return []string{
		"purpose__accessibility", "purpose__arts_culture", "purpose__commerce", "purpose__ecology", "purpose__energy_efficiency",
		"purpose__health", "purpose__inform", "purpose__logistics", "purpose__mobility", "purpose__planning_decision_making",
		"purpose__research_development", "purpose__safety_security", "purpose__social", "purpose__waste_management", "purpose__wayfinding_services",
	}
}

func dtprAccess() []string {
	return []string{
		"access__available_for_resale", "access__available_to_3rd_parties", "access__available_to_download", "access__available_to_me",
		"access__available_to_the_accountable_organization", "access__available_to_vendor", "access__not_available_to_me",
		"access__not_available_to_the_accountable_organization", "access__not_available_to_vendor",
	}
}

func dtprStorage() []string {
	return []string{
		"storage__backed_up_internationally", "storage__backed_up_locally", "storage__shared_storage_and_governance", "storage__stored_locally",
		"storage__stored_on_3rd_party_cloud", "storage__stored_primarily_internationally", "storage__stored_primarily_locally",
	}
}

// dtprRights are the rights of DTPR for AI.
func dtprRights() []string {
	return []string{
		"right_access", "right_algorithmic_transparency", "right_be_forgotten", "right_contest", "right_non_discrimination", "right_purpose_limitation", "right_to_notice",
	}
}
