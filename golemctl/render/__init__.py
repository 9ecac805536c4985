"""Views → lines of text. Pure: width, colour and the present moment are passed in as a Look."""
