package relay

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	bolt "go.etcd.io/bbolt"

	"kerb/agent/uplink"
)

// Home Assistant reads the topics of kerb as they are. The relay publishes for each
// device one retained message that says which numbers there are (MQTT discovery, the
// form for devices, Home Assistant 2024.11 or later). It removes the message, by an empty
// one, when the device's meta is gone, and all of them where the option is off.

// discovery is the message of one device.
type discovery struct {
	Device struct {
		IDs     []string `json:"ids"`
		Name    string   `json:"name"`
		Maker   string   `json:"mf"`
		Version string   `json:"sw"`
	} `json:"dev"`
	Origin struct {
		Name string `json:"name"`
	} `json:"o"`
	Components   map[string]haSensor `json:"cmps"`
	Availability string              `json:"avty_t"`
	IsAvailable  string              `json:"avty_tpl"`
	QoS          int                 `json:"qos"`
}

// haSensor is one number of a device.
type haSensor struct {
	Platform   string `json:"p"`
	UniqueID   string `json:"unique_id"`
	Name       string `json:"name"`
	Topic      string `json:"stat_t"`
	Template   string `json:"val_tpl"`
	StateClass string `json:"stat_cla"`
	Expires    int    `json:"exp_aft"` // seconds after which the number is unknown: two windows and the spread
	Icon       string `json:"ic,omitempty"`
}

// haSpread is added to two windows: the longest spread of a fleet, and some.
const haSpread = 60

// objectID returns the id of a device in topics of Home Assistant.
func objectID(a uplink.Address) string { return "kerb_" + a.Tenant + "_" + a.Site + "_" + a.Device }

// discoveryTopic returns the topic of a device's message. Two devices whose names differ
// in the separator alone get different ones by the hash.
func discoveryTopic(a uplink.Address) string {
	h := sha256.Sum256([]byte(a.String()))
	return "homeassistant/device/" + objectID(a) + "_" + hex.EncodeToString(h[:3]) + "/config"
}

// haTemplate returns the Jinja2 template of one number. It tells unknown where the window
// is a gap or the number is withheld, which is not 0, and leaves the number as it is for
// a message of another schema.
func haTemplate(window, class, dir, number string) string {
	and := ""
	if dir != "" {
		and = "|selectattr('dir','eq','" + dir + "')"
	}
	return "{% set w = " + window + " %}{% set c = w.counts|default([])|selectattr('class','eq','" + class + "')" + and + "|list %}" +
		"{% if w.schema|default('') != 'kerb.count/1' %}{{ this.state|default('unknown') }}{% elif c and c[0]." + number + " is defined %}{{ c[0]." + number + " }}{% else %}unknown{% endif %}"
}

// makeDiscovery returns the message of a device. Where the policy is operational, the
// numbers come from the retained topic now, so that they are there after a restart.
func makeDiscovery(m *meta) discovery {
	a := m.address()
	base := "kerb/v1/" + a.String() + "/"
	d := discovery{Components: map[string]haSensor{}, Availability: base + "state", IsAvailable: "{{ 'online' if value_json.online|default(false) else 'offline' }}", QoS: 1}
	d.Device.IDs, d.Device.Name, d.Device.Maker, d.Device.Version = []string{objectID(a)}, a.Device, "kerb", m.Version
	if m.Place != nil && m.Place.Name != "" {
		d.Device.Name = m.Place.Name
	}
	d.Origin.Name = "kerb relay"
	for _, s := range m.Streams {
		topic, window := base+"count/"+s.ID, "value_json"
		if m.Policy.Purpose == "operational" {
			topic, window = base+"now/"+s.ID, "value_json.window|default({})"
		}
		add := func(class, dir, number string) {
			id := strings.Trim(s.ID+"_"+class+"_"+dir+"_"+number, "_")
			d.Components[id] = haSensor{
				Platform: "sensor", UniqueID: objectID(a) + "_" + id, Name: strings.Join(strings.FieldsFunc(s.ID+" "+class+" "+dir+" "+number, func(r rune) bool { return r == ' ' }), " "),
				Topic: topic, Template: haTemplate(window, class, dir, number), StateClass: "measurement", Expires: 2*int(m.WindowS) + haSpread,
			}
		}
		for _, class := range s.Classes {
			switch {
			case s.Kind != "zone":
				for _, dir := range s.Directions {
					add(class, dir, "n")
				}
			case m.Clearing.Method == "bands":
				add(class, "", "min")
			default:
				add(class, "", "mean")
			}
		}
	}
	return d
}

// announce publishes the messages that have changed, and removes those of devices that
// are gone. Made-up streams are not announced, unless Opts say so.
func (r *Relay) announce(c mqtt.Client) error {
	if !r.commands.takeChanged(&r.commands.homes) {
		return nil
	}
	want := map[string][]byte{}
	if r.o.HomeAssistant {
		for _, m := range r.db.allMetas() {
			if m = r.withoutMadeUp(m); len(m.Streams) > 0 {
				want[discoveryTopic(m.address())] = mustJSON(makeDiscovery(m))
			}
		}
	}
	told := map[string]string{}
	err := r.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(toldBucket).ForEach(func(k, v []byte) error {
			told[string(k)] = string(v)
			return nil
		})
	})
	if err != nil {
		return storeError{err}
	}
	for topic := range told {
		if _, ok := want[topic]; !ok {
			want[topic] = nil // an empty retained message removes it
		}
	}
	for _, topic := range sortedKeys(want) {
		sum := fmt.Sprintf("%x", sha256.Sum256(want[topic]))
		if told[topic] == sum {
			continue
		}
		if err := r.tell(c, topic, want[topic], sum); err != nil {
			r.commands.siteChanged()
			return err
		}
	}
	return nil
}

// tell publishes one retained message and notes it, before and after: one that may be at
// the broker is always in the list of those to remove.
func (r *Relay) tell(c mqtt.Client, topic string, body []byte, sum string) error {
	note := func(v string) error {
		err := r.db.Update(func(tx *bolt.Tx) error {
			if v == "" {
				return tx.Bucket(toldBucket).Delete([]byte(topic))
			}
			return tx.Bucket(toldBucket).Put([]byte(topic), []byte(v))
		})
		if err != nil {
			return storeError{err}
		}
		return nil
	}
	if err := note("begun"); err != nil {
		return err
	}
	if err := wait(c.Publish(topic, 1, true, body)); err != nil {
		return fmt.Errorf("publish %s: %w", topic, err)
	}
	if len(body) == 0 {
		sum = ""
	}
	return note(sum)
}
