package policy

import "kerb/counting"

// finnish is the explanation in Finnish: a template over page.
const finnish = `{{or .Title "Nimetön sääntö"}}, versio {{.Version}}
{{.Hash}}

KUKA VASTAA
Rekisterinpitäjä: {{or .Controller.Name "ei ilmoitettu"}}. Yhteys: {{or .Controller.Contact "ei ilmoitettu"}}.
{{if .IsDemo}}Tämä on esittelyä varten, ja sen jakso on lyhyempi kuin missään sääntötiedostossa saa olla.
{{else if .IsOperational}}Tarkoitus on operatiivinen: luvuilla ohjataan jotakin juuri nyt. Siksi laite ottaa tämän säännön käyttöön vain kahden avaimen allekirjoituksella. Kenen avaimet ovat, on laitteen omassa tiedostossa (site.toml): on kysyttävä, kenellä ne ovat.
{{else}}Tarkoitus on tilasto: luvut kuvaavat paikkaa. Niillä ei ole tarkoitus ohjata mitään heti. Jos niillä ohjataan jotakin, kuten liikennevaloja, tarkoitus on operatiivinen: se on kysyttävä, sillä laite ei voi tietää sitä.{{end}}

MITÄ LASKETAAN
{{if .CountsLines}}- Kameran kuvaan piirretyillä linjoilla: kuinka moni ylittää linjan, ja kummalle puolelle.
{{end}}{{if .CountsZones}}- Kameran kuvaan piirretyillä alueilla: kuinka moni on paikalla{{if or .UsesNoise .UsesSuppression}}, keskimäärin ja enintään yhtä aikaa{{else}} keskimäärin{{end}}.
{{end}}{{if .CountsLoops}}- Tien silmukoilla: kuinka moni ajaa yli.
{{end}}{{range .QuantitySentences}}- {{.}}
{{end}}Vain nämä: {{classes .Count.Classes}}. {{if .OpenAllHours}}Kaikkina vuorokauden aikoina, joka päivä.{{else}}Vain {{shifts .Hours.Open}} ({{.Hours.Timezone}}); jakso, joka ei kokonaan osu näihin aikoihin, lähtee aukkona, ilman lukuja.{{end}}

MITÄ LAITTEESTA LÄHTEE JA MILLOIN
{{every .Clear.Window}} välein yksi tietue kutakin {{.StreamKinds}} kohti. Siinä on laitteen ja virran nimi, juokseva numero, jakson aika, myös laitteen kellon mukaan käynnistyksestä, kuinka monta kymmenesosaa siitä nähtiin ja miksi ei kaikkea, alla mainittu kohina, yllä oleva tunniste, ja kutakin luokkaa{{if .CountsPassages}} ja suuntaa{{end}}{{if and .Clear.Totals .CountsPassages}} sekä linjalla tai silmukalla suuntien summaa{{end}} kohti {{if or .UsesNoise .UsesSuppression}}yksi luku{{else}}yksi luokkaväli{{end}}. Muulle siinä ei ole paikkaa. Jokainen {{if or .UsesNoise .UsesSuppression}}luku{{else}}väli{{end}} on mukana joka kerta, myös kun kukaan ei kulkenut, paitsi aukossa: jaksossa, jota ei nähty{{if not .UsesNoise}} tai josta nähtiin alle puolet{{end}}, ei ole niitä{{if .CountsZones}}, eikä alueella jaksossa, jossa laite pysähtyi{{end}}.
{{if .UsesNoise}}Ennen kuin luku tallennetaan, siihen lisätään kerran satunnainen määrä: tarkka diskreetti Laplace-kohina, ε = {{short .Clear.Epsilon}}. Uudelleen lähetetty tietue on sama tietue. {{if .Clear.Below}}Jos luku on sen jälkeen alle {{.Clear.Below}}, siitä kerrotaan vain "alle {{.Clear.Below}}".{{else}}Luku annetaan niin kuin se arvottiin, jotta summat osuvat keskimäärin oikeaan; pieni luku voi olla alle nollan.{{end}}{{if .CountsZones}} Alueella puolet ε:sta menee keskiarvoon ja puolet suurimpaan määrään{{if .Clear.Below}}, ja molemmat jätetään pois, jos keskiarvo on alle {{.Clear.Below}}{{end}}; niiden keskivirheet ovat {{number .ZoneMeanError 1}} ja {{number .ZonePeakError 1}}.{{end}}
{{if .Count.Quantities}}Virta, joka antaa muutakin kuin määrät, jakaa saman ε:n tasan: kun kaikki yllä olevat annetaan, määrät ja kukin muu saavat siitä 1/{{.QuantityParts}}, joten kunkin kohina, myös määrien, on {{.QuantityParts}}-kertainen.
{{end}}{{else if .UsesSuppression}}Kohinaa ei lisätä. Alle {{.Clear.Below}} olevaa lukua ei anneta: tietueessa lukee "alle {{.Clear.Below}}". {{if gt .Clear.Round 1}}Muut pyöristetään lähimpään {{.Clear.Round}}:n kerrannaiseen.{{else}}Muut annetaan tarkkoina.{{end}}{{if .Clear.Totals}} Jos toinen kahdesta suunnasta jätetään pois, jätetään toinenkin, sillä summa paljastaisi sen.{{end}}{{if .Count.Quantities}} Varausaste ja keskinopeus annetaan vain jaksosta, jonka luvuista ainakin yksi annetaan.{{end}}
{{else}}Kohinaa ei lisätä eikä lukua anneta, vain väli, johon keskiarvo osuu: {{list .BandNames}}.
{{end}}Esimerkki: {{if .UsesNoise}}{{if .ExampleIsHidden}}todellinen 41 lähtee muodossa "alle {{.Clear.Below}}" {{percent .ExampleHidden}}:ssa jaksoista ja muuten lukuna{{else}}todellinen 41 lähtee lukuna väliltä {{.ExampleLow}}–{{.ExampleHigh}} yhdeksässä jaksossa kymmenestä{{end}}{{if .Clear.Below}}; todellinen 3 lähtee muodossa "alle {{.Clear.Below}}" {{percent .ExampleWithheld}}:ssa jaksoista{{end}}.{{else if .UsesSuppression}}todellinen 41 lähtee muodossa {{if gt .Clear.Below 41}}"alle {{.Clear.Below}}"{{else}}{{.ExampleRounded}}{{end}}, todellinen 3 muodossa "alle {{.Clear.Below}}".{{else}}keskimäärin seitsemän paikallaolijaa lähtee muodossa "{{.ExampleBand}}".{{end}}
Tuntien ja päivien summat lasketaan näistä {{if or .UsesNoise .UsesSuppression}}luvuista{{else}}väleistä{{end}}. Tarkkoja määriä ei säilytetä parempia varten.
Muut viestit kertovat laitteesta: "state" viiden minuutin välein (suojaseinät, kello, tallennustila, viat, kuvien määrät kahden potensseina), "event" (kameran tai silmukan viat, käynnistykset, suuntaus, menetetyt tietueet), "meta" (paikka, virrat, tämä sääntö lyhyesti ja asentajan kokeen luvut käsin ja laitteella, joita mikään sääntö ei muuta), "ack" (vastaukset käskyihin) ja "proof" (että viestit tulevat perille). Se, mitä ne kertovat kameran näkymästä tai silmukasta, muuttuu jakson vaihtuessa eikä yhden kulkijan vuoksi. Ilman TLS:ää, ja viestinvälittäjän luona, jokainen kuuntelija lukee ne kaikki.
{{if .KeepsNow}}Viestinvälittäjä säilyttää kunkin viimeisen tietueen myöhemmin kysyviä varten, kunnes seuraava tulee sen tilalle.
{{end}}{{range .AlertTexts}}Kun {{.Stream}} on antanut välin {{.Raise}} tai suuremman ({{.Class}}) ja aikaa on kulunut {{span .For}}, viesti kertoo, että siellä on ruuhkaa, ja toinen, kun väli on ollut yhtä kauan alle {{.Clear}}. Molemmat tehdään pelkistä väleistä eivätkä kerro mitään, mitä välit eivät kerro.
{{end}}{{if and .CountsPassages (or .UsesNoise .UsesSuppression)}}
VIRHE, JOHON ON VARAUDUTTAVA
{{.ErrorTable "kulkijoita yhteen suuntaan jaksossa keskimäärin" (printf "jaksoja, joissa \"alle %d\"" .Clear.Below) "annetun luvun keskivirhe"}}
{{end}}
MITÄ EI VOI TAPAHTUA JA MIKSI
- Kuvaa, ääntä, kasvoja, rekisterikilpeä tai reittiä ei voi lähteä tätä tietä: tietueessa ei ole niille paikkaa.
- Kukaan ei voi pyytää lyhyempiä jaksoja kuin {{span .Clear.Window}}: muita ei tehdä.{{if not .IsDemo}} Sääntöä, jossa jakso on tällä menetelmällä alle {{of .ShortestWindow}}, ei voi ladata.{{end}} Tietue kattaa vähemmän vain, jos laite käynnistyi, pysähtyi tai menetti näkymänsä, ja kertoo sen kymmenesosina{{if not .UsesNoise}}; jos alle puolet nähtiin, se ei anna mitään{{end}}. Sen voi saada aikaan joku, joka voi käynnistää laitteen uudelleen, mutta ei viestinvälittäjä.
{{if .UsesCamera}}- {{if .Camera.FollowMax}}Ketään ei voi seurata kauempaa kuin {{span .Camera.FollowMax}}, ei kamerasta toiseen eikä päivästä toiseen: sen jälkeen kohde on uusi kohde.{{else}}Ketään ei voi seurata lainkaan: kohteet lasketaan siinä missä ne ovat, eikä linjoja voi laskea.{{end}}
- Kuvaa, joka on suurempi kuin {{.Camera.Pixels}} tai yhtä monta kuvapistettä muussa muodossa, ei katsota.
{{if .Camera.MasksRequired}}- Kameraa ei voi käyttää ilman peittoa: {{else if .Mask}}- Peitettyjä alueita ei voi katsoa: {{end}}{{if or .Mask .Camera.MasksRequired}}peitetty mustataan, ennen kuin mikään katsoo kuvaa.{{if .Mask}} Tämä sääntö peittää itse alueita näistä kameroista: {{list .MaskNames}}.{{end}}
{{end}}- Kameran suuntaussivu {{if .ShowsSilhouettes}}voi näyttää liikkuvan litteitä hahmoja, enintään {{span .Aim.Session}} kerrallaan. Kuvaa se ei voi näyttää.{{else}}ei näytä kuvasta mitään.{{end}}
{{end}}- Viestinvälittäjä {{if .Broker.Commands}}voi pyytää vain tätä: {{list .CommandNames}}. {{if .AllowsWant}}Käskyllä want se voi välittää toisen säännön tai site-tiedoston. Laite ottaa sen vain, jos sen ovat allekirjoittaneet avaimet, joihin laitteen site-tiedosto luottaa, tiukemman säännön yksi, väljemmän säännön tai site-tiedoston kaksi, ja vain korkeampana versiona; laite kokeilee sitä ja palaa itse takaisin. Välittäjä itse{{else}}Se{{end}}{{else}}ei voi käskeä mitään. Se{{end}} ei voi muuttaa sitä, mitä lasketaan.
{{if eq .Clear.Overlap 1}}- Anturin kahta tietuetta ei voi vähentää toisistaan niin, että selviäisi, mitä toinen salaa: sama kohde saa tulla lasketuksi vain yhdessä virrassa. Yhden osoitteen, laitteen, ohjelman tai koskettimen kaksi nimeä ovat yksi anturi. Yhden kameran kaksi osoitetta ovat sitä myös, kun muoto sen kertoo, kuten pää- ja sivuvirran; muita pareja ei löydetä: katso site-tiedostoa.
{{else if .UsesNoise}}- Tietueiden erotus ei kerro enempää kuin mitä alla lasketaan: sama kohde saa tulla lasketuksi enintään {{.Clear.Overlap}} virrassa anturia kohti. Yhden osoitteen, laitteen, ohjelman tai koskettimen kaksi nimeä ovat yksi anturi. Yhden kameran kaksi osoitetta ovat sitä myös, kun muoto sen kertoo, kuten pää- ja sivuvirran; muita pareja ei löydetä: katso site-tiedostoa.
{{else}}- Sama kohde ei voi tulla lasketuksi useammassa kuin {{.Clear.Overlap}} virrassa anturia kohti. (Mutta niin monessa voi, ja ilman kohinaa niiden erotus voi kertoa yksittäisistä kuluista.)
{{end}}
KUINKA KAUAN MIKÄÄN SÄILYY
Tarkat määrät: muistissa, kunnes jakso päättyy, ja sekunteja sen jälkeen. Ne eivät tule prosessiin, jolla on verkko. Tietueet: laitteessa enintään {{span .Keep.Retention}} ja yhden jakson, toimitettuina tai ei. Kun laitteen kelloon ei voi luottaa, aikaa, jonka se oli pois päältä, ei lasketa{{if not .IsDemo}}; sääntöä, jossa aika on yli {{of .LongestRetention}}, ei voi ladata{{end}}.

MITÄ SE MERKITSEE OHIKULKIJALLE
{{if .UsesNoise}}{{if .CountsPassages}}Yksi kulku yhdessä paikassa{{if .CountsZones}} tai yksi oleskelu yhdellä alueella yhden jakson aikana{{end}}{{else}}Yksi oleskelu yhdellä alueella yhden jakson aikana{{end}} maksaa enintään ε = {{short .Clear.Epsilon}}. Se tarkoittaa: joka piti yhtä todennäköisenä kuin epätodennäköisenä (50 %), että kuljit, ja tietää kaiken kaikista muista, voi luvun nähtyään olla asiasta enintään {{percent .PassageBelief}} varma.{{if gt .Clear.Overlap 1}} Jos tulet lasketuksi kaikissa {{.Clear.Overlap}} saman anturin virrassa, joissa se on sallittu, se maksaa ε = {{short .SensorLoss}}: enintään {{percent .SensorBelief}}.{{end}} Jokainen kulku maksaa uudestaan, myös toisen anturin ohi, ja vahingossa kahdesti laskettu maksaa kahdesti. {{if .CountsZones}}Oleskelu, joka nähdään useana luokkana peräkkäin, maksaa enintään puolet ε:sta ja puolet ε:sta kutakin niistä kohti. {{end}}Samassa paikassa C {{if .CountsPassages}}kulkua{{else}}jaksoa{{end}} maksaa yhteensä C kertaa ε:
{{.ExposureTable (or (and .CountsPassages "kulkuja") "jaksoja") "ε yhteensä" "50 %:n varmuudesta enintään"}}
Tapa on piilossa huonommin kuin yksittäinen kulku: jonkun sellaisen kohdalla, jonka tiedetään kulkevan usein ja tunnettuina aikoina, monen jakson summa kertoo enemmän.
{{else if .UsesSuppression}}Kohinaa ei ole, joten mikään ei rajaa sitä, mitä voi päätellä joku, joka tietää kaiken kaikista muista samassa jaksossa. Suojana on, että pieniä lukuja ei anneta{{if gt .Clear.Round 1}} ja muut pyöristetään: yksi lisää muuttaa sitä, mitä annetaan, siinä missä pois jätetyt luvut loppuvat, ja sen yläpuolella kerran {{.Clear.Round}} luvussa{{end}}. {{if .CountsPassages}}Jokainen kulku, päivän C kulusta, on jaksossa ({{span .Clear.Window}}), jossa sen luokkaa ja suuntaa on vähintään {{.Clear.Below}}, tai lukua ei anneta.{{else}}Jokainen oleskelu on jaksossa ({{span .Clear.Window}}), jossa sen luokkaa on keskimäärin {{.Clear.Below}}, tai lukuja ei anneta.{{end}}
{{else}}Kohinaa ei ole, joten mikään ei rajaa sitä, mitä voi päätellä joku, joka tietää kaiken kaikista muista samassa jaksossa. Suojana on, että välit ovat leveitä: yksi ihminen lisää näkyy vain siinä, missä väli vaihtuu toiseen. Jokainen C käynnistä on piilossa näin, kukin erikseen.
{{end}}Luvut on minimoitu{{if .UsesNoise}} ja suojattu kulku kulultaan{{end}}. {{if .UsesCamera}}Laite käsittelee silti kuvia, joten{{else}}Laite on silti julkisella paikalla, joten on selvitettävä, tarvitaanko{{end}} vaikutustenarviointi, tiedote paikan päällä ja oikeusperuste{{if .UsesCamera}} tarvitaan{{end}}.
`

var finnishWords = words{
	and: "ja", or: "tai", streamKinds: [...]string{"linjaa", "aluetta", "silmukkaa"}, point: ",", more: "tai enemmän",
	classes: [...]string{
		counting.Person: "jalankulkijat", counting.Bicycle: "polkupyörät ajajineen", counting.Vehicle: "ajoneuvot",
		counting.Motorcycle: "moottoripyörät", counting.Car: "henkilöautot", counting.Heavy: "raskaat ajoneuvot",
	},
	units: [...]unit{{"sekunti", "sekuntia", "sekunnin", "Sekunnin"}, {"minuutti", "minuuttia", "minuutin", "Minuutin"}, {"tunti", "tuntia", "tunnin", "Tunnin"}, {"vuorokausi", "vuorokautta", "vuorokauden", "Vuorokauden"}},
	quantities: [...]string{
		counting.Occupancy: "Kuinka suuren osan jaksosta silmukka oli peitossa. Yhdestä ajoneuvosta lasketaan enintään 4 sekuntia.",
		counting.MeanSpeed: "Ajoneuvojen keskinopeus silmukalla tai linjalla, jonka katu on mitattu, ja kuinka monesta. Yhdestä ajoneuvosta lasketaan enintään 150 km/h.",
		counting.Speeds:    "Kuinka moni ajoi kuinka nopeasti, 10 km/h:n välein. Yksi ajoneuvo muuttaa yhtä näistä luvuista yhdellä.",
		counting.Lengths:   "Kuinka moni oli kuinka pitkä, luokittain. Yksi ajoneuvo muuttaa yhtä näistä luvuista yhdellä.",
		counting.Headways:  "Kuinka moni tuli kuinka pian edellisen jälkeen, keulasta keulaan. Yksi ajoneuvo muuttaa enintään kolmea näistä luvuista yhdellä, koska se jakaa kahden muun välin.",
		counting.Gaps:      "Kuinka moni tuli kuinka pian edellisen jälkeen, perästä keulaan. Yksi ajoneuvo muuttaa enintään kolmea näistä luvuista yhdellä.",
		counting.Standing:  "Kuinka moni alueella seisoo, hitaammin kuin puoli metriä sekunnissa, ja kuinka moni liikkuu, keskimäärin. Yksi oleskelu muuttaa näitä lukuja koko jaksossa yhteensä enintään yhdellä.",
		counting.Congested: "Kuinka moni peitti silmukan kokonaisen 4 sekunnin jakson. Yksi ajoneuvo lasketaan kerran.",
	},
	week:    [...]string{"ma", "ti", "ke", "to", "pe", "la", "su"},
	effects: [...]string{"MUUTTUNUT", "TIUKEMPI", "VÄLJEMPI"},
}
