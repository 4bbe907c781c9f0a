// What messages say by themselves, in the page's language.

const WORDS = {
  en: ["Close", "Take a look", "Message", "Your answer", "Send", "Thank you!"],
  de: ["Schließen", "Ansehen", "Nachricht", "Ihre Antwort", "Senden", "Danke!"],
  es: ["Cerrar", "Ver", "Mensaje", "Su respuesta", "Enviar", "¡Gracias!"],
  fr: ["Fermer", "Voir", "Message", "Votre réponse", "Envoyer", "Merci !"],
  it: ["Chiudi", "Vedi", "Messaggio", "La sua risposta", "Invia", "Grazie!"],
  nl: ["Sluiten", "Bekijken", "Bericht", "Uw antwoord", "Versturen", "Dank u!"],
  pt: ["Fechar", "Ver", "Mensagem", "A sua resposta", "Enviar", "Obrigado!"],
};
const NAMES = ["close", "open", "message", "answer", "send", "thanks"];

export const words = (name) => {
  const said = (document.documentElement.lang || navigator.language || "").slice(0, 2).toLowerCase();
  return (WORDS[said] || WORDS.en)[NAMES.indexOf(name)];
};
