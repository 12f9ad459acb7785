// Plotly with the kinds of trace that the report draws (`scatter` is always there); none of them makes code from strings.
const Plotly = require("plotly.js/lib/core");

Plotly.register([
  require("plotly.js/lib/bar"),
  require("plotly.js/lib/candlestick"),
  require("plotly.js/lib/heatmap"),
  require("plotly.js/lib/waterfall"),
]);
module.exports = Plotly;
