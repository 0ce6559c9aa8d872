package vocabulary

// LossReasons explains why windows are gone: in the event evicted and in gone of ack.
// The numbers of such windows were given, and the windows cannot be sent any more.
func LossReasons() []Word {
	const close = "Close the hole in seq, and do not ask again."
	return []Word{
		{"expired", "The retention of the policy was over before the windows could be delivered.", close + " Look why the broker was away for so long."},
		{"full", "The spool was full, and the oldest windows were deleted before the broker acknowledged them.", close + " Look why the broker was away for so long."},
		{"memory", "The spool file could not be written, and the windows in memory were too many.", close + " Look at the disk."},
		{"damaged", "The spool file was damaged.", close + " Replace the card, if it comes again."},
		{"deleted", "The spool file was deleted.", close},
		{"foreign", "The spool file was that of another device, and was put aside. The other device's windows in it are not sent.", close},
		{"refused", "The record in the spool file was changed, or is not of this device, and was put aside.", close + " Look who can write to the card."},
		{"restored", "The spool went back in time: a restored image, a copied card, or a card that loses writes.", close + " Look for a copy of the card."},
	}
}

// EpochReasons explains why a new epoch begins.
func EpochReasons() []Word {
	const next = "Nothing: count on in the new epoch, from seq 1."
	return []Word{
		{"unclean_end", "kerb was killed, or the current failed, so that the last numbers given are not certain.", next},
		{"boot", "The machine was started again. A card that was restored as a whole cannot be told from it.", next},
		{"unknown_end", "The file that says how kerb ended is not there: it was deleted, or kerb was updated from a version without it.", next},
		{"touched", "The spool file was copied or changed after kerb had ended.", next},
		{"restored", "The spool went back in time.", "Look for a copy of the card. What is lost is in events evicted."},
		{"deleted", "There was a spool, and the file is gone.", "Ask who deleted it. What is lost is in events evicted."},
		{"damaged", "The spool file was not readable, and was put aside.", "Replace the card, if it comes again."},
		{"foreign", "The spool was that of another device, and was put aside.", "Look for a swapped or copied card."},
		{"renamed", "The device has another name, site or tenant now.", "Take the old name out of service."},
		{"machine_changed", "The spool was written on another machine.", "Nothing, after a swap of the board. Otherwise look for a copy of the card."},
		{"store_failed", "The spool file could not be written, and kerb counts on in memory.", "Look at the disk: see the event store_failed."},
	}
}

// WantReasons explains why files that a platform wanted are not in force: in the event
// want, and in agent.config of state.
func WantReasons() []Word {
	const sign = "Sign them with kerb fleet, with keys that the device's site.toml trusts."
	return []Word{
		{"malformed", "It is no message of the schema, or not as it was stored.", "Send one that kerb fleet made."},
		{"other_device", "It is for another device.", "An incident, unless the topics were mixed up."},
		{"old_version", "A version as high, or higher, was tried before.", "Send a higher one."},
		{"not_allowed", "The policy in force does not have the command want.", "Let the policy's controller allow it, with a policy by hand."},
		{"open_trust", "The device trusts no key.", "Set [trust] of its site.toml by hand."},
		{"not_signed", "Too few people signed it, or a signature does not fit.", sign},
		{"policy_refused", "The policy is older than the one in force, or looser and signed by one.", "Let a second person sign, or raise the policy's version."},
		{"fixed_key", "site.toml changes what only a hand at the device may: trust, names, state, strict, bench, or a program that it starts.", "Leave those keys as they are."},
		{"mistakes", "A file has mistakes: line says where the first is.", "Check the files with kerb check before they are signed."},
		{"forbidden", "site.toml asks for what the policy forbids.", "Check both files together with kerb check."},
		{"no_delivery", "At no moment of the trial's last minute did the broker pass on what the device publishes.", "Look at broker, password and topics of the new files."},
		{"sensors_lost", "In the trial's last minute fewer sensors delivered than before.", "Look at the cameras and loops of the new files."},
		{"starts_failed", "The agent started more than four times within the trial.", "Look at the device's log."},
		{"changed_by_hand", "Files were changed on the device afterwards, and count.", "Ask who was there, then send a higher version."},
	}
}
