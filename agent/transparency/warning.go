package transparency

import (
	"fmt"
	"slices"
	"strings"
)

// A Warning is a limit of the counting that every register entry must carry.
type Warning struct {
	ID    string `json:"id"`              // weak, limit, walls, made_up, decoder, controller or ai_act
	Class string `json:"class,omitempty"` // of a weak class
	About string `json:"about,omitempty"` // the sensors, processes or controllers that it is about
	// Precision is the average precision of a weak class, and Network the network that has it.
	Precision float64 `json:"precision,omitempty"`
	Network   string  `json:"network,omitempty"`
	Text      string  `json:"text"` // in English
}

// The warnings.
const (
	WarnWeak       = "weak"       // a class that the model card calls weak, and that is counted here
	WarnLimit      = "limit"      // another weakness of the model card
	WarnWalls      = "walls"      // a wall that should hold does not
	WarnController = "controller" // policy and declared.toml name different controllers
	WarnAIAct      = "ai_act"     // the question of Annex III(2) of the EU AI Act
	WarnMadeUp     = "made_up"    // a sensor shows no street
	WarnDecoder    = "decoder"    // a program without measured walls may see pictures
)

// annexIII is the question that an operational purpose raises. Source: Regulation (EU)
// 2024/1689, Annex III, point 2; the model card forbids safety functions.
const annexIII = "The purpose is operational. Do these numbers steer traffic signals? Then ask: is this an AI system used as a safety component in the management and operation of road traffic (EU AI Act, Annex III, point 2)? It would be high-risk. kerb's networks are not made for safety functions."

// collectWarnings lists the warnings that follow from a record.
func collectWarnings(r *Record) (all []Warning) {
	all = append(all, modelWarnings(r)...)
	for _, w := range r.Walls.Value {
		if len(w.Open) > 0 {
			all = append(all, Warning{ID: WarnWalls, About: w.Role, Text: fmt.Sprintf("Not all walls hold on this device: the process %s can %s.", w.Role, strings.Join(w.Open, ", "))})
		}
	}
	for _, s := range r.Capture.Sensors.Value {
		if s.Feed == feedScene || s.Feed == feedRecording {
			all = append(all, Warning{ID: WarnMadeUp, About: s.Name, Text: fmt.Sprintf("The camera %s shows a %s: its numbers describe no street.", s.Name, s.Feed)})
		}
	}
	if names := decodedCameras(r); len(names) > 0 {
		all = append(all, Warning{ID: WarnDecoder, About: strings.Join(names, ", "), Text: fmt.Sprintf("The program ffmpeg may decode the pictures of %s, if they come as H.265. The walls in this record were not measured around ffmpeg.", strings.Join(names, ", "))})
	}
	by, declared := r.Policy.Controller.Value, r.AnswerOr("controller.name", "")
	if by != "" && declared != "" && by != declared {
		all = append(all, Warning{ID: WarnController, About: by + " / " + declared, Text: fmt.Sprintf("The policy names %q as controller, the declared answers name %q.", by, declared)})
	}
	if signals, known := r.Flag("purpose.signals"); r.Policy.Purpose.Value == "operational" && (signals || !known) {
		all = append(all, Warning{ID: WarnAIAct, Text: annexIII})
	}
	return all
}

// decodedCameras lists the cameras whose pictures ffmpeg may decode, where no process
// decode was measured.
func decodedCameras(r *Record) (names []string) {
	if slices.ContainsFunc(r.Walls.Value, func(w RoleWalls) bool { return strings.HasPrefix(w.Role, "decode") }) {
		return nil
	}
	for _, s := range r.Capture.Sensors.Value {
		if s.Decoder != "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// modelWarnings lists the weaknesses of the networks that this device may use: those of
// classes that it counts, and those of no single class.
func modelWarnings(r *Record) (all []Warning) {
	for _, m := range r.Models.Value {
		for _, w := range m.Weak {
			if w.Class != "" && !slices.Contains(r.Output.Classes.Value, w.Class) {
				continue
			}
			v := Warning{ID: WarnLimit, Text: w.Text}
			if w.Class != "" {
				v = Warning{ID: WarnWeak, Class: w.Class, Network: m.Name, Text: w.Text}
				if len(m.Precision) > 0 {
					v.Precision = m.Precision[0].Classes[w.Class]
				}
				v.Text += fmt.Sprintf(" (Average precision of the network %s: %.2f; 1 is without fault.)", m.Name, v.Precision)
			}
			if !slices.ContainsFunc(all, func(x Warning) bool { return x.ID == v.ID && x.Class == v.Class && (x.Class != "" || x.Text == v.Text) }) {
				all = append(all, v)
			}
		}
	}
	return all
}

// WeakClasses returns the classes that are counted here and that the model card calls
// weak, without doubles.
func (r *Record) WeakClasses() (classes []string) {
	for _, w := range r.Warnings.Value {
		if w.ID == WarnWeak && !slices.Contains(classes, w.Class) {
			classes = append(classes, w.Class)
		}
	}
	return classes
}
