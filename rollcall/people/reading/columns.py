"""What a column can hold, and under which headings the tools of the field write it.

Eventbrite (attendee summary, in US and UK wording), pretix (order positions), Luma (guest
list) and Mailchimp (audience export) are covered by tests with files in their formats;
the further words are what people call such columns in English, French and German.
"""

import re
import unicodedata
from dataclasses import dataclass

from rollcall.people.reading.cells import LONGEST_CELL
from rollcall.text import normalize

_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Target:
    """Something that a column can be read as: its key, what staff see, and usual headings.

    The headings stand in order of preference, in the form that `heading_key` gives.
    """

    key: str
    label: str
    headings: tuple[str, ...]


def heading_key(heading: str) -> str:
    """Return the heading in small letters without accents, marks or underscores."""
    plain = normalize("NFKD", heading.casefold())
    return _NOT_WORD.sub(" ", "".join(c for c in plain if not unicodedata.combining(c))).strip()


def _target(key: str, label: str, headings: str) -> Target:
    return Target(key, label, tuple(" ".join(h.split()) for h in headings.split(",")))


_PERSON = (
    _target("phone", "Phone", """
        attendee phone, attendee phone number, guest phone, cell phone, mobile phone, mobile,
        cell, mobile number, mobile phone number, cell phone number, cell number,
        sms phone number, sms number, sms, whatsapp, whatsapp number, phone number, phone,
        phone no, telephone, telephone number, tel, phone e164, contact number, contact phone,
        handy, handynummer, mobiltelefon, mobilnummer, mobil, telefon, telefonnummer,
        rufnummer, portable, telephone portable, telephone mobile, numero de telephone,
        numero de portable, telefono, movil, celular, primary phone, home phone, work phone,
        day phone"""),
    _target("other_phone", "Another phone, where the first is empty",
            "home phone, work phone, other phone, secondary phone, phone 2, phone number 2"),
    _target("email", "E-mail", """
        attendee email, attendee e mail, attendee email address, participant email,
        ticket email, ticket holder email, guest email, teilnehmer e mail, email, e mail,
        email address, e mail address, mail, mail address, emailadresse, e mail adresse,
        mailadresse, adresse e mail, adresse mail, adresse email, courriel,
        adresse courriel, correo, correo electronico, primary email, contact email, user email"""),
    _target("first_name", "First name", """
        attendee first name, attendee name given name, attendee name first name,
        ticket first name, guest first name, first name, firstname, first, given name,
        forename, fname, vorname, prenom, nombre, christian name, buyer first name"""),
    _target("last_name", "Last name", """
        attendee last name, attendee surname, attendee name family name,
        attendee name last name, ticket last name, guest last name, last name, lastname, last,
        surname, family name, lname, nachname, familienname, nom de famille, nom, apellido,
        apellidos, buyer last name"""),
    _target("name", "Full name", """
        attendee name, ticket full name, guest name, participant name, name, full name,
        fullname, display name, contact name, teilnehmername, name des teilnehmers,
        vollstandiger name, nom complet, nom et prenom, prenom et nom, buyer name"""),
    _target("buyer_email", "E-mail of who ordered", """
        buyer email, buyer e mail, order email, purchaser email, billing email,
        customer email, invoice email"""),
    _target("buyer_phone", "Phone of who ordered", """
        buyer phone, buyer phone number, order phone, purchaser phone, billing phone,
        customer phone"""),
)  # fmt: skip

_STATUS = _target("status", "Status", """
        attendee status, approval status, registration status, ticket status, order status,
        rsvp status, rsvp, status, statut, etat, anmeldestatus, teilnahmestatus,
        payment status, guest status""")  # fmt: skip

_ORDERED = """
        order date, registered at, registration date, registration time, date registered,
        ordered at, order date time, created at, signup date, sign up date, date created,
        created, rsvp date, bestelldatum, anmeldedatum, datum der anmeldung, angemeldet am,
        date de commande, date d inscription, inscrit le, optin time"""
_ORDERED_CLOCK = "order time, bestellzeit, uhrzeit der bestellung, heure de commande, purchase time"

PEOPLE_TARGETS = (
    *_PERSON,
    _target("city", "City", """
        home city, city, town, attendee city, residence city, shipping city, billing city,
        ort, stadt, wohnort, ville, ciudad, locality"""),
    _target("country", "Country", """
        home country, country, country code, cc, country region, attendee country,
        shipping country, billing country, land, pays, pais"""),
    _target("timezone", "Time zone", "timezone, time zone, tz, zeitzone, fuseau horaire"),
    _STATUS,
    _target("registered_at", "Registered at", _ORDERED),
    _target("registered_clock", "Time of day of the registration", _ORDERED_CLOCK),
    _target("checked_in", "Checked in (when, or yes)", """
        checked in at, check in time, check in date, checkin time, checkin date, checked in,
        check in, scanned at, scan time, scanned, attended, eingecheckt, eingecheckt am,
        check in zeit, present"""),
    _target("opted_out", "Opted out of all messages", """
        opted out, opt out, optout, do not contact, unsubscribed from all"""),
    _target("sms_opted_out", "Opted out of texts", """
        sms opt out, sms opted out, opted out sms, sms unsubscribed, sms stop, do not text"""),
    _target("email_opted_out", "Opted out of e-mails", """
        unsub time, email opt out, email opted out, opted out email, email unsubscribed,
        unsubscribed, unsubscribed at, unsubscribe date, do not email"""),
    _target("email_bounced", "E-mail bounced", "clean time, email bounced, bounced, bounced at"),
)  # fmt: skip

PURCHASE_TARGETS = (
    *_PERSON,
    _target("reference", "Order reference", """
        order id, order number, order no, order code, order reference, order, transaction id,
        payment id, reference, invoice number, receipt number, booking id, booking reference,
        bestellnummer, bestellcode, numero de commande, reference de commande, purchase id,
        ticket id, id"""),
    _target("position", "Position within the order", """
        position id, position, attendee no, attendee, line, line item, ticket number"""),
    _target("amount", "Amount", """
        total paid, amount paid, amount, total, total amount, order total, grand total, paid,
        price paid, ticket price, price, gross, gross sales, revenue, spent, value, betrag,
        summe, gesamtbetrag, preis, montant, montant total, prix, total paye"""),
    _target("currency", "Currency", "currency, currency code, ccy, wahrung, devise, moneda"),
    _target("purchased_at", "Purchased at", """
        purchased at, purchase date, paid at, payment date, transaction date, completion date,
        date of purchase, order placed, kaufdatum, date d achat, date, datetime, timestamp,
        datum,""" + _ORDERED),
    _target("purchased_clock", "Time of day of the purchase", _ORDERED_CLOCK),
    _target("event", "Event (its slug)", "event slug, event, veranstaltung, evenement"),
    _STATUS,
)  # fmt: skip

TARGETS = {"people": PEOPLE_TARGETS, "purchases": PURCHASE_TARGETS}

_KNOWN = frozenset(
    heading for targets in TARGETS.values() for t in targets for heading in t.headings
)


def is_known_heading(cell: str) -> bool:
    """Return whether a cell is a heading that some tool uses."""
    return len(cell) <= LONGEST_CELL and heading_key(cell) in _KNOWN
