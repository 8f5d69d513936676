"""Tables in and out: what people send (reading), what is answered (writing), and VOTable documents around the rows."""
