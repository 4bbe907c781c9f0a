"""What the pages behind links say, in the languages that they speak."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Texts: TypeAlias = "Mapping[str, str]"

_EN: Final = {
    "preferences": "Your preferences",
    "preferences_lead": "Choose what {shop} may send you, and how.",
    "channels": "How we may write to you",
    "topics": "What about",
    "email": "Email",
    "sms": "Text messages",
    "push": "Push notifications",
    "in_app": "Messages on our site",
    "webhook": "Messages to your systems",
    "save": "Save preferences",
    "saved": "Your preferences are saved.",
    "leave_all": "Unsubscribe from everything",
    "left_all": "You are unsubscribed from everything.",
    "unsubscribe": "Unsubscribe?",
    "unsubscribe_lead": "{shop} will no longer write to {address} by {channel}.",
    "unsubscribe_lead_bare": "{shop} will no longer write to you by {channel}.",
    "leave_channel": "Unsubscribe",
    "leave_topic": "Only from “{topic}”",
    "unsubscribed": "You are unsubscribed",
    "unsubscribed_lead": "{shop} will not write to you by {channel} any more.",
    "unsubscribed_topic": "{shop} will not write to you about “{topic}” any more.",
    "still": "Messages about your orders and your account may still come.",
    "manage": "All preferences",
    "invalid": "This link does not work",
    "invalid_lead": "It may be cut short or altered. Please open it from the message once more.",
    "expired": "This link has expired",
    "expired_lead": "Please use the link in a newer message.",
    "expired_click": "It led to:",
    "survey": "Your answer",
    "survey_lead": "You chose: {value}",
    "survey_send": "Send",
    "survey_thanks": "Thank you!",
}
_FR: Final = {
    "preferences": "Vos préférences",
    "preferences_lead": "Choisissez ce que {shop} peut vous envoyer, et comment.",
    "channels": "Comment nous pouvons vous écrire",
    "topics": "À quel sujet",
    "email": "E-mail",
    "sms": "SMS",
    "push": "Notifications push",
    "in_app": "Messages sur notre site",
    "webhook": "Messages à vos systèmes",
    "save": "Enregistrer",
    "saved": "Vos préférences sont enregistrées.",
    "leave_all": "Se désabonner de tout",
    "left_all": "Vous êtes désabonné de tout.",
    "unsubscribe": "Se désabonner ?",
    "unsubscribe_lead": "{shop} n’écrira plus à {address} par {channel}.",
    "unsubscribe_lead_bare": "{shop} ne vous écrira plus par {channel}.",
    "leave_channel": "Se désabonner",
    "leave_topic": "Seulement de « {topic} »",
    "unsubscribed": "Vous êtes désabonné",
    "unsubscribed_lead": "{shop} ne vous écrira plus par {channel}.",
    "unsubscribed_topic": "{shop} ne vous écrira plus au sujet de « {topic} ».",
    "still": "Des messages sur vos commandes et votre compte peuvent encore arriver.",
    "manage": "Toutes les préférences",
    "invalid": "Ce lien ne fonctionne pas",
    "invalid_lead": "Il est peut-être incomplet ou modifié. Ouvrez-le à nouveau du message.",
    "expired": "Ce lien a expiré",
    "expired_lead": "Utilisez le lien d’un message plus récent.",
    "expired_click": "Il menait à :",
    "survey": "Votre réponse",
    "survey_lead": "Vous avez choisi : {value}",
    "survey_send": "Envoyer",
    "survey_thanks": "Merci !",
}
_DE: Final = {
    "preferences": "Ihre Einstellungen",
    "preferences_lead": "Wählen Sie, was {shop} Ihnen senden darf, und wie.",
    "channels": "Wie wir Ihnen schreiben dürfen",
    "topics": "Worüber",
    "email": "E-Mail",
    "sms": "SMS",
    "push": "Push-Mitteilungen",
    "in_app": "Nachrichten auf unserer Seite",
    "webhook": "Nachrichten an Ihre Systeme",
    "save": "Einstellungen speichern",
    "saved": "Ihre Einstellungen sind gespeichert.",
    "leave_all": "Alles abbestellen",
    "left_all": "Sie haben alles abbestellt.",
    "unsubscribe": "Abbestellen?",
    "unsubscribe_lead": "{shop} schreibt dann nicht mehr an {address} per {channel}.",
    "unsubscribe_lead_bare": "{shop} schreibt Ihnen dann nicht mehr per {channel}.",
    "leave_channel": "Abbestellen",
    "leave_topic": "Nur „{topic}“",
    "unsubscribed": "Sie haben abbestellt",
    "unsubscribed_lead": "{shop} schreibt Ihnen nicht mehr per {channel}.",
    "unsubscribed_topic": "{shop} schreibt Ihnen nicht mehr über „{topic}“.",
    "still": "Nachrichten zu Ihren Bestellungen und Ihrem Konto können weiter kommen.",
    "manage": "Alle Einstellungen",
    "invalid": "Dieser Link funktioniert nicht",
    "invalid_lead": "Er ist vielleicht unvollständig oder verändert. Öffnen Sie ihn noch einmal "
    "aus der Nachricht.",
    "expired": "Dieser Link ist abgelaufen",
    "expired_lead": "Bitte nehmen Sie den Link aus einer neueren Nachricht.",
    "expired_click": "Er führte zu:",
    "survey": "Ihre Antwort",
    "survey_lead": "Sie haben gewählt: {value}",
    "survey_send": "Senden",
    "survey_thanks": "Vielen Dank!",
}
_ES: Final = {
    "preferences": "Sus preferencias",
    "preferences_lead": "Elija qué puede enviarle {shop}, y cómo.",
    "channels": "Cómo podemos escribirle",
    "topics": "Sobre qué",
    "email": "Correo electrónico",
    "sms": "SMS",
    "push": "Notificaciones push",
    "in_app": "Mensajes en nuestro sitio",
    "webhook": "Mensajes a sus sistemas",
    "save": "Guardar preferencias",
    "saved": "Sus preferencias se han guardado.",
    "leave_all": "Darse de baja de todo",
    "left_all": "Se ha dado de baja de todo.",
    "unsubscribe": "¿Darse de baja?",
    "unsubscribe_lead": "{shop} ya no escribirá a {address} por {channel}.",
    "unsubscribe_lead_bare": "{shop} ya no le escribirá por {channel}.",
    "leave_channel": "Darse de baja",
    "leave_topic": "Solo de «{topic}»",
    "unsubscribed": "Se ha dado de baja",
    "unsubscribed_lead": "{shop} ya no le escribirá por {channel}.",
    "unsubscribed_topic": "{shop} ya no le escribirá sobre «{topic}».",
    "still": "Aún pueden llegar mensajes sobre sus pedidos y su cuenta.",
    "manage": "Todas las preferencias",
    "invalid": "Este enlace no funciona",
    "invalid_lead": "Puede estar incompleto o alterado. Ábralo de nuevo desde el mensaje.",
    "expired": "Este enlace ha caducado",
    "expired_lead": "Use el enlace de un mensaje más reciente.",
    "expired_click": "Llevaba a:",
    "survey": "Su respuesta",
    "survey_lead": "Ha elegido: {value}",
    "survey_send": "Enviar",
    "survey_thanks": "¡Gracias!",
}

DEFAULT: Final = "en"
LANGUAGES: Final[Mapping[str, Texts]] = {"en": _EN, "fr": _FR, "de": _DE, "es": _ES}

_TAG: Final = re.compile(r"\s*([A-Za-z]{2,3})(?:[-_][A-Za-z0-9-_]*)?\s*(?:;\s*q=([0-9.]{1,5}))?\s*")


def within(label: str, language: str) -> str:
    """A label as it stands within a sentence; German writes its nouns large."""
    return label if language == "de" or label[:2].isupper() else label[:1].lower() + label[1:]


def language_of(locale: object, accepted: str) -> str:
    """The language to speak to somebody: by his locale, else by what his browser accepts."""
    if isinstance(locale, str) and (found := _TAG.fullmatch(locale)) is not None:
        language = found[1].lower()
        if language in LANGUAGES:
            return language
    wished = []
    for place, one in enumerate(accepted[:500].split(",")):
        found = _TAG.fullmatch(one)
        if found is not None and found[1].lower() in LANGUAGES:
            wished.append((-_weight(found[2]), place, found[1].lower()))
    return min(wished)[2] if wished else DEFAULT


def _weight(text: str | None) -> float:
    try:
        return float(text or "1")
    except ValueError:
        return 0.0
